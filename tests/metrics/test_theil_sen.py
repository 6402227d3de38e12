"""The robust slope: what it finds, and how often its interval holds the truth."""

from __future__ import annotations

import random

import pytest

from stt_load.metrics.theil_sen import LEAST_POINTS, theil_sen


def points(n: int, slope: float, likeness: float, seed: int) -> list[tuple[float, float]]:
    """A line with noise around it, each of which keeps a part of the one before it."""
    rng, noise, found = random.Random(seed), 0.0, []
    for at in range(n):
        noise = likeness * noise + rng.gauss(0, 1)
        found.append((float(at), 5.0 + slope * at + noise))
    return found


def test_a_line_has_its_slope_and_no_doubt() -> None:
    slope = theil_sen([(float(x), 2.0 * x + 1) for x in range(20)])
    assert slope is not None
    assert (slope.value, slope.low, slope.high) == pytest.approx((2.0, 2.0, 2.0))


def test_a_few_odd_points_do_not_move_it() -> None:
    line = [(float(x), 0.5 * x) for x in range(60)]
    odd = [(x, y + 1_000 if x in (3, 4, 58) else y) for x, y in line]
    slope = theil_sen(odd)
    assert slope is not None and slope.value == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("likeness", "least"), [(0.0, 0.92), (0.5, 0.88)])
def test_its_interval_holds_the_truth_about_as_often_as_it_says(likeness: float, least: float) -> None:
    held = 0
    for seed in range(300):
        slope = theil_sen(points(60, 0.1, likeness, seed))
        assert slope is not None
        held += slope.low <= 0.1 <= slope.high
    assert held / 300 >= least


def test_waves_make_it_less_sure() -> None:
    calm, waves = (theil_sen(points(60, 0.0, likeness, 3)) for likeness in (0.0, 0.8))
    assert calm is not None and waves is not None
    assert waves.high - waves.low > 2 * (calm.high - calm.low)


def test_too_few_points_say_nothing() -> None:
    assert theil_sen(points(LEAST_POINTS - 1, 1.0, 0.0, 1)) is None
    assert theil_sen([]) is None

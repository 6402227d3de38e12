from __future__ import annotations

import pytest

from gpu_sidecar.summary import FieldSummary, nearest_rank, summarise

FIVE = [40.0, 50.0, 60.0, 80.0, 90.0]


def test_five_values_give_mean_p95_and_peak() -> None:
    assert summarise(FIVE) == FieldSummary(mean=64.0, p95=90, max=90)


def test_the_order_of_values_does_not_matter() -> None:
    assert summarise(FIVE[::-1]) == summarise(FIVE)


def test_no_values_give_nothing_rather_than_zeros() -> None:
    assert summarise([]) is None


def test_an_idle_device_gives_zeros_rather_than_nothing() -> None:
    assert summarise([0.0]) == FieldSummary(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("p", "expected"), [(0.01, 1), (0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20)])
def test_a_percentile_is_the_nearest_rank(p: float, expected: int) -> None:
    assert nearest_rank(range(20, 0, -1), p) == expected

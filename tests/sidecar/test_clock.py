"""Which exchange is used, and how large an error is reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.sidecar.clock import DRIFT_RATIO, Exchange, SidecarClock

AHEAD_S = 30.0  # of the sidecar's wall clock; its monotonic one began 1,000 s before ours


def exchange(asked: float, round_trip_s: float, share_out: float = 0.5, drift_ratio: float = 0.0) -> Exchange:
    """An exchange whose sidecar reads its clocks after this share of the round trip; they run this much too fast."""
    read = asked + share_out * round_trip_s
    mono = read * (1 + drift_ratio) + 1_000
    return Exchange(asked, asked + round_trip_s, wall=mono + 500, mono=mono)


def test_before_the_first_exchange_nothing_is_known() -> None:
    clock = SidecarClock()
    assert clock.uncertainty_s(0.0) is None
    assert clock.offset_s(0.0) is None
    assert clock.to_our_mono(5.0) is None


def test_the_offset_is_between_the_two_wall_clocks() -> None:
    clock = SidecarClock()
    clock.note(exchange(100.0, 0.0))
    assert clock.offset_s(wall_minus_mono_s=1_500 - AHEAD_S) == pytest.approx(AHEAD_S)
    assert clock.to_our_mono(1_107.0) == pytest.approx(107.0)


def test_a_short_round_trip_is_believed_before_a_long_one() -> None:
    clock = SidecarClock()
    clock.note(exchange(100.0, 0.002))
    clock.note(exchange(101.0, 0.5, share_out=1.0))
    assert clock.uncertainty_s(101.5) == pytest.approx(0.001, abs=0.0001)
    assert clock.to_our_mono(1_200.0) == pytest.approx(200.0)


def test_an_old_best_gives_way_when_the_clocks_may_have_parted_further_than_a_new_one_errs() -> None:
    clock = SidecarClock()
    clock.note(exchange(0.0, 0.001))
    gives_way_s = (0.0025 - 0.0005) / DRIFT_RATIO
    for asked, is_replaced in ((gives_way_s - 1, False), (gives_way_s + 1, True)):
        clock.note(exchange(asked, 0.005, share_out=1.0))
        is_new = clock.to_our_mono(1_000.0) != pytest.approx(0.0, abs=1e-9)
        assert is_new == is_replaced


def test_what_is_not_known_any_better_is_owned_up_to() -> None:
    clock = SidecarClock()
    clock.note(exchange(0.0, 0.002))
    assert clock.uncertainty_s(0.001) == pytest.approx(0.001)
    assert clock.uncertainty_s(3_600.001) == pytest.approx(0.001 + 3_600 * DRIFT_RATIO)


@pytest.mark.parametrize("stood_still_s", [60.0, 0.5, -60.0])
def test_a_clock_that_stood_still_is_seen_at_the_next_exchange(
    stood_still_s: float,
) -> None:
    """The sidecar's machine was asleep for so long; ours, where it is negative."""
    clock = SidecarClock()
    assert clock.note(exchange(100.0, 0.001)) == 0.0
    later = exchange(200.0, 0.2)
    apart_s = clock.note(replace(later, mono=later.mono - stood_still_s))
    assert apart_s == pytest.approx(-stood_still_s)
    assert clock.to_our_mono(1_300.0 - stood_still_s) == pytest.approx(300.0)
    assert clock.uncertainty_s(200.2) == pytest.approx(0.1, abs=0.001)


def test_a_step_of_the_wall_clock_is_no_contradiction_and_moves_no_sample() -> None:
    clock = SidecarClock()
    clock.note(exchange(100.0, 0.001))
    later = exchange(200.0, 0.001)
    assert clock.note(replace(later, wall=later.wall + 3_600)) == 0.0
    assert clock.to_our_mono(1_300.0) == pytest.approx(300.0)


ROUND_TRIPS = st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 1.0))


@given(
    st.lists(ROUND_TRIPS, min_size=1, max_size=60),
    st.floats(1.0, 600.0),
    st.floats(-DRIFT_RATIO / 2, DRIFT_RATIO / 2),
)
def test_the_error_is_within_what_is_said_and_no_worse_than_the_newest_exchange(
    trips: list[tuple[float, float]], spacing_s: float, drift_ratio: float
) -> None:
    clock = SidecarClock()
    for n, (round_trip_s, share_out) in enumerate(trips):
        newest = exchange(n * (spacing_s + 5.0), round_trip_s, share_out, drift_ratio)
        assert clock.note(newest) == 0.0, "a drift is no contradiction"
        now = newest.answered
        told_s, ours = clock.uncertainty_s(now), clock.to_our_mono(now * (1 + drift_ratio) + 1_000)
        assert told_s is not None
        assert ours is not None
        assert abs(ours - now) <= told_s + 1e-6
        assert told_s <= newest.uncertainty_s(now)

"""The search for the limit, against machines whose limit is known."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from stt_load.calibration.ramp_search import RampSearch


def try_out(capacity: int, most: int, resolution: float = 0.1) -> tuple[RampSearch, list[int]]:
    """The search on a machine that holds `capacity`, and what it tried."""
    search, tried = RampSearch(most, resolution=resolution), []
    while (callers := search.next_callers) is not None:
        tried.append(callers)
        assert len(tried) < 100, "it does not end"
        search.record(callers <= capacity)
    return search, tried


def test_it_doubles_until_it_breaks_and_halves_in_between() -> None:
    search, tried = try_out(capacity=620, most=10_000)
    assert tried == [100, 200, 400, 800, 800, 600, 700, 650]
    assert (search.holds, search.breaks) == (600, 650)


def test_where_all_hold_it_stops_at_the_most() -> None:
    search, tried = try_out(capacity=10_000, most=250)
    assert tried == [100, 200, 250]
    assert (search.holds, search.breaks) == (250, None)


def test_a_limit_below_the_first_step_is_looked_for_below_it() -> None:
    search, tried = try_out(capacity=7, most=5_000)
    assert tried == [100, 100, 50, 25, 12, 6, 9, 7, 8]
    assert (search.holds, search.breaks) == (7, 8)


def test_a_machine_that_holds_nobody_ends_at_nobody() -> None:
    search, tried = try_out(capacity=0, most=5_000)
    assert (search.holds, search.breaks) == (0, 1)
    assert tried[-1] == 1


def test_a_trial_that_broke_once_by_chance_does_not_end_the_try_out() -> None:
    search = RampSearch(1_000)
    search.record(False)
    assert search.next_callers == 100
    search.record(True)
    assert search.next_callers == 200
    assert search.breaks is None


@given(capacity=st.integers(0, 50_000), most=st.integers(1, 50_000), resolution=st.floats(0.02, 0.5, exclude_min=True))
def test_it_finds_any_limit_within_the_resolution_in_few_trials(capacity: int, most: int, resolution: float) -> None:
    search, tried = try_out(capacity, most, resolution)
    found = min(capacity, most)
    assert search.holds <= found
    assert found - search.holds < max(1.0, resolution * search.holds) or search.holds == found
    assert max(tried) <= most
    assert len(tried) <= 2 * math.log2(most + 2) + math.log2(1 / resolution) + 8

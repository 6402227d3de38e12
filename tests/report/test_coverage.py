"""Coverage of a hold by samples, counted by hand and held against what must always be true."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.report.coverage import coverage, holes, reach_s

HOLD = (100.0, 130.0)
EVERY_SECOND = [100.5 + second for second in range(30)]

times = st.lists(st.floats(90.0, 140.0), max_size=40).map(sorted)
reaches = st.floats(0.01, 10.0)


def test_a_sample_every_second_covers_all_of_the_hold() -> None:
    assert coverage(EVERY_SECOND, HOLD, 1.5) == 1.0
    assert holes(EVERY_SECOND, HOLD, 1.5) == []


@pytest.mark.parametrize(
    ("taken", "share"),
    [
        ([], 0.0),
        ([110.0], 1 / 30),
        ([100.2], 0.7 / 30),
        ([129.8], 0.7 / 30),
        ([110.0, 111.0], 2 / 30),
        ([110.0, 113.0], 4 / 30),
        ([110.0, 120.0], 2 / 30),
        ([50.0, 200.0], 0.0),
    ],
    ids=["none", "one", "at the start", "at the end", "two", "two between which two are lost", "far apart", "outside"],
)
def test_a_sample_beside_a_hole_covers_half_a_period_of_it(taken: list[float], share: float) -> None:
    assert coverage(taken, HOLD, 1.5) == pytest.approx(share)


def test_a_source_that_was_quiet_for_a_tenth_of_the_hold_covers_no_more_than_the_rest() -> None:
    taken = [t for t in EVERY_SECOND if not 107 < t < 110]
    assert coverage(taken, HOLD, 1.5) == pytest.approx(0.9)


def test_a_gap_that_is_known_is_missing_however_short_and_once_where_it_is_seen_too() -> None:
    assert coverage(EVERY_SECOND, HOLD, 1.5, [(106.5, 108.5)]) == pytest.approx(29 / 30)
    taken = [t for t in EVERY_SECOND if not 107 < t < 112]
    assert coverage(taken, HOLD, 1.5, [(106.49, 112.51)]) == pytest.approx(25 / 30, abs=0.001)
    assert coverage(taken, HOLD, 1.5, [(90.0, 95.0), (135.0, math.inf)]) == coverage(taken, HOLD, 1.5)
    assert coverage(EVERY_SECOND, HOLD, 1.5, [(114.5, math.inf)]) == pytest.approx(0.5)


def test_a_hold_of_no_length_has_no_coverage() -> None:
    assert coverage([100.0], (100.0, 100.0), 1.5) is None


def test_a_hole_goes_from_the_sample_before_it_to_the_sample_after_it() -> None:
    taken = [t for t in EVERY_SECOND if not 107 < t < 115]
    assert holes(taken, HOLD, 1.5) == [(106.5, 115.5)]


def test_one_sample_or_two_that_are_missing_make_no_hole() -> None:
    assert holes([t for t in EVERY_SECOND if not 107 < t < 109], HOLD, 1.5) == []


def test_a_hold_without_samples_is_one_hole_and_its_edges_count_too() -> None:
    assert holes([], HOLD, 1.5) == [HOLD]
    assert holes(EVERY_SECOND[10:20], HOLD, 1.5) == [(100.0, 110.5), (119.5, 130.0)]


@given(times, reaches)
def test_coverage_is_a_share_and_another_sample_never_takes_any_away(taken: list[float], reach: float) -> None:
    share = coverage(taken, HOLD, reach)
    assert share is not None and 0.0 <= share <= 1.0
    more = coverage(sorted([*taken, 117.0]), HOLD, reach)
    assert more is not None and more >= share - 1e-9


@given(times, reaches)
def test_where_there_is_no_hole_all_is_covered(taken: list[float], reach: float) -> None:
    inside = [t for t in taken if HOLD[0] <= t <= HOLD[1]]
    share = coverage(inside, HOLD, reach)
    assert holes(inside, HOLD, reach) or share == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("told_s", "spacing_s", "reach"),
    [
        (1.0, 1.0, 1.5),
        (1.0, 0.5, 1.5),
        (0.1, 0.2, 0.3),
        (0.1, 5.0, 0.45),
        (None, 2.0, 3.0),
    ],
    ids=["as told", "never less than told", "a slow tool", "a broken tool", "nobody says"],
)
def test_a_sample_reaches_as_far_as_its_source_is_slow(told_s: float | None, spacing_s: float, reach: float) -> None:
    assert reach_s(told_s, [n * spacing_s for n in range(10)]) == pytest.approx(reach)


@pytest.mark.parametrize("taken", [[], [5.0], [5.0, 5.0]])
def test_with_nothing_to_go_by_a_second_is_the_period(taken: list[float]) -> None:
    assert reach_s(None, taken) == 1.5

"""The search for the edge, against servers whose capacity is known and against chosen results."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.capacity.search import CapacitySearch, SearchEnd
from stt_load.capacity.trial import Trial, TrialResult

RESULTS = {"p": TrialResult.PASS, "f": TrialResult.FAIL, "i": TrialResult.INVALID}


def try_out(capacity: int, search: CapacitySearch) -> list[int]:
    """The numbers of callers that the search tries on a server that always holds `capacity` and never more."""
    while (users := search.next_users) is not None:
        search.record(Trial(users, TrialResult.PASS if users <= capacity else TrialResult.FAIL))
    return [trial.users for trial in search.trials]


def after(results: str, search: CapacitySearch) -> CapacitySearch:
    """The search after its own trials had these results."""
    for letter in results:
        users = search.next_users
        assert users is not None
        search.record(Trial(users, RESULTS[letter]))
    return search


def test_it_doubles_until_it_breaks_halves_in_between_and_repeats_both_sides() -> None:
    search = CapacitySearch(first=1, most=500)
    assert try_out(42, search) == [1, 2, 4, 8, 16, 32, 64, 48, 40, 44, 42, 42, 44, 42, 44]
    assert (search.holds, search.breaks, search.why_over) == (42, 44, SearchEnd.FOUND)


@pytest.mark.parametrize(
    ("why", "capacity", "first", "most", "tried", "holds", "breaks", "end"),
    [
        ("all up to the most hold", 900, 100, 250, [100, 200, 250, 250, 250], 250, None, SearchEnd.MOST_HOLDS),
        ("nobody is held", 0, 4, 500, [4, 2, 1, 1, 1], 0, 1, SearchEnd.FOUND),
        ("the first number is too many", 3, 8, 500, [8, 4, 2, 3, 3, 4, 3, 4], 3, 4, SearchEnd.FOUND),
        ("the first number is more than the most", 9, 50, 5, [5, 5, 5], 5, None, SearchEnd.MOST_HOLDS),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_where_the_edge_is_at_an_end_it_says_so(
    why: str, capacity: int, first: int, most: int, tried: list[int], holds: int, breaks: int | None, end: SearchEnd
) -> None:
    search = CapacitySearch(first, most)
    assert try_out(capacity, search) == tried
    assert (search.holds, search.breaks, search.why_over) == (holds, breaks, end)


@pytest.mark.parametrize(
    ("why", "odd", "tried", "edge"),
    [
        ("a failure by chance on the way up is made up for", {8: "fpp"}, [8, 6, 7, 7, 8, 8, 16], (42, 44)),
        ("one failure of three on the holding side stays one", {42: "ppf"}, [42, 42, 44, 42, 44], (42, 44)),
        ("the holding side fails twice: the edge is lower", {42: "pff"}, [44, 42, 42, 42, 40, 40], (40, 42)),
        ("the breaking side passes twice: the edge is higher", {44: "fpp"}, [42, 42, 44, 44, 46, 46, 46], (44, 46)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_repeats_contradict_the_first_trial_the_edge_moves(
    why: str, odd: dict[int, str], tried: list[int], edge: tuple[int, int | None]
) -> None:
    search = CapacitySearch(1, 500)
    left = {users: iter(results) for users, results in odd.items()}
    while (users := search.next_users) is not None:
        after(next(left.get(users, iter("")), "p" if users <= 42 else "f"), search)
    every = [trial.users for trial in search.trials]
    assert any(every[start : start + len(tried)] == tried for start in range(len(every))), every
    assert (search.holds, search.breaks) == edge


def test_with_two_repeats_a_third_decides_where_they_contradict_each_other() -> None:
    search = after("pffppp", CapacitySearch(100, 300, 0.5, repeats=2))
    assert [trial.users for trial in search.trials] == [100, 200, 150, 100, 150, 150]
    assert (search.holds, search.breaks) == (150, 200)


def test_an_edge_at_the_largest_number_that_was_tried_is_bounded_from_above() -> None:
    search = CapacitySearch(1, 500)
    assert try_out(63, search)[-1] == 80
    assert (search.holds, search.breaks, search.why_over) == (62, 64, SearchEnd.FOUND)


def test_an_invalid_trial_is_repeated_once() -> None:
    search = after("ppi", CapacitySearch(1, 500))
    assert search.next_users == 4
    search = after("pp", search)
    assert (search.holds, search.next_users) == (8, 16)


def test_an_invalid_trial_that_is_invalid_again_ends_the_search() -> None:
    search = after("ppii", CapacitySearch(1, 500))
    assert (search.next_users, search.why_over, search.invalid_at) == (None, SearchEnd.INVALID, 4)
    assert (search.holds, search.breaks) == (2, None)


def test_a_generator_that_can_not_play_more_than_the_edge_is_no_limit() -> None:
    search = CapacitySearch(1, 500)
    while (users := search.next_users) is not None:
        after("p" if users <= 63 else "f" if users == 64 else "i", search)
    assert (search.trials[-1].users, search.why_over, search.invalid_at) == (80, SearchEnd.FOUND, None)


def test_contradictions_without_end_are_cut_off() -> None:
    """The first trial with each number of callers fails, and every other one passes."""
    search = CapacitySearch(1, 1_000_000)
    tried: set[int] = set()
    while (users := search.next_users) is not None:
        after("p" if users in tried else "f", search)
        tried.add(users)
    assert search.why_over is SearchEnd.TRIALS_SPENT
    assert len(search.trials) == search.most_trials


def test_a_search_is_rebuilt_from_its_trials() -> None:
    search = CapacitySearch(1, 500)
    try_out(42, search)
    again = CapacitySearch.replayed(search.trials[:-1], first=1, most=500)
    assert again.next_users == 44
    assert again.why_over is None


@given(st.integers(0, 3_000), st.integers(1, 40), st.integers(1, 2_000), st.floats(0.01, 0.5), st.sampled_from([1, 3]))
def test_it_finds_any_capacity_within_the_ratio(
    capacity: int, first: int, most: int, within: float, repeats: int
) -> None:
    search = CapacitySearch(first, most, within, repeats)
    tried = try_out(capacity, search)
    found = min(capacity, most)
    assert search.holds <= found
    assert search.holds == found or found - search.holds < max(1.0, within * search.holds)
    assert max(tried) <= most
    assert search.why_over in (SearchEnd.FOUND, SearchEnd.MOST_HOLDS)


@given(st.lists(st.sampled_from("ppffi")))
def test_whatever_the_results_are_it_ends_and_tries_what_it_may(letters: Iterable[str]) -> None:
    search = CapacitySearch(3, 100)
    for letter in letters:
        if search.next_users is None:
            break
        assert 1 <= search.next_users <= 100
        after(letter, search)
    assert (search.next_users is None) == (search.why_over is not None)
    assert search.breaks is None or search.holds < search.breaks


def test_two_sides_of_an_edge_are_never_less_than_a_caller_apart() -> None:
    assert CapacitySearch(1, 500, 1e-311).most_trials == CapacitySearch(1, 500, 1e-9).most_trials

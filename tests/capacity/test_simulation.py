"""Two hundred searches against servers whose capacity is known, in virtual time: a trial is a hold, and nothing waits.

A ladder finds the same only if its rungs are as close together as the two sides of the edge (5 %), and if each is
played as often as they are, since it doesn't know beforehand where the edge will be.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from known_server import KnownServer, cliff, queue, slope

from stt_load.capacity.answer import CapacityAnswer, Shape, find_answer
from stt_load.capacity.search import REPEATS, WITHIN_RATIO, CapacitySearch, SearchEnd

SERVERS = (slope(12.5), slope(42.5), queue(42.5), cliff(42.5), queue(90.5))
SEARCHES_EACH = 40


@dataclass(frozen=True)
class Searched:
    server: KnownServer
    answer: CapacityAnswer
    users_tried: tuple[int, ...]

    @property
    def holds_truth(self) -> bool:
        low, high = self.answer.low, self.answer.high
        return low <= self.server.truth and (high is None or self.server.truth <= high)

    @property
    def binomial_holds_truth(self) -> bool:
        alone = self.answer.binomial
        assert alone is not None
        return alone.low <= self.server.truth and (alone.high is None or self.server.truth <= alone.high)


@pytest.fixture(scope="module")
def searches() -> list[Searched]:
    found = []
    for server in SERVERS:
        for seed in range(SEARCHES_EACH):
            search = server.searched(seed)
            found.append(Searched(server, find_answer(search), tuple(trial.users for trial in search.trials)))
    return found


def rungs(truth: int) -> list[int]:
    """A ladder from one caller to the first number beyond the truth, each rung at most 5 % (or one caller) higher."""
    users = [1]
    while users[-1] <= truth:
        users.append(users[-1] + max(1, int(WITHIN_RATIO * users[-1])))
    return users


def utterances_of(search: CapacitySearch) -> float:
    counts = [objective.counts for trial in search.trials for objective in trial.objectives]
    return sum(float(of.wholes.sum()) for of in counts if of is not None)


def test_the_interval_holds_the_truth_in_nine_of_ten_searches(searches: list[Searched]) -> None:
    assert len(searches) == 200
    for server in SERVERS:
        mine = [searched for searched in searches if searched.server is server]
        assert sum(searched.holds_truth for searched in mine) >= 0.9 * len(mine), server.name


def test_the_interval_says_something(searches: list[Searched]) -> None:
    bounded = [searched for searched in searches if searched.answer.high is not None]
    assert len(bounded) >= 0.95 * len(searches)
    widths = sorted((s.answer.high or 0) - s.answer.low + 1 for s in bounded if s.server is SERVERS[1])
    assert widths[len(widths) // 2] <= 0.3 * SERVERS[1].truth


def test_the_binomial_interval_alone_is_too_narrow(searches: list[Searched]) -> None:
    """It misses the truth more often than a 95 % interval may, since trials differ by more than chance does."""
    mine = [searched for searched in searches if searched.server is not SERVERS[0]]
    assert sum(searched.binomial_holds_truth for searched in mine) < 0.9 * len(mine)


def test_each_search_comes_to_its_end_near_the_truth(searches: list[Searched]) -> None:
    for searched in searches:
        assert searched.answer.why_over is SearchEnd.FOUND
        assert abs(searched.answer.holds - searched.server.truth) <= 0.12 * searched.server.truth + 1


def test_a_cliff_is_told_from_a_slope(searches: list[Searched]) -> None:
    for server, shape in ((SERVERS[1], Shape.SLOPE), (SERVERS[3], Shape.CLIFF)):
        turns = [searched.answer.turn for searched in searches if searched.server is server]
        assert sum(turn is not None and turn.shape is shape for turn in turns) >= 0.95 * len(turns), server.name


def test_a_search_takes_at_least_forty_percent_less_load_time_than_a_ladder(searches: list[Searched]) -> None:
    """In holds, and in holds times callers, where it is the early small ones that a search leaves out."""
    for server in SERVERS:
        tried = [searched.users_tried for searched in searches if searched.server is server]
        ladder = rungs(server.truth) * REPEATS
        assert sum(map(len, tried)) <= 0.6 * len(ladder) * len(tried), server.name
        assert sum(map(sum, tried)) <= 0.6 * sum(ladder) * len(tried), server.name


def test_on_larger_servers_it_takes_less_than_a_ladder_that_knew_which_rungs_to_repeat(
    searches: list[Searched],
) -> None:
    for server in SERVERS[1:]:
        tried = [len(searched.users_tried) for searched in searches if searched.server is server]
        assert sum(tried) <= 0.6 * (len(rungs(server.truth)) + 2 * (REPEATS - 1)) * len(tried), server.name


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_trials_that_end_early_find_the_same_with_less_load(server: KnownServer) -> None:
    for seed in range(4):
        whole, early = (server.searched(seed, ends_early) for ends_early in (False, True))
        assert (early.holds, early.breaks) == (whole.holds, whole.breaks)
        assert len(early.trials) == len(whole.trials)
        assert utterances_of(early) < utterances_of(whole)

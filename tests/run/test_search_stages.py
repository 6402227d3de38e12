"""A search in virtual time: the plan is told what is observed, and every stage is judged as a server of known size
would have it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from stt_load.capacity.search import CapacitySearch, SearchEnd
from stt_load.capacity.trial import Trial, TrialResult
from stt_load.kinds import STREAM
from stt_load.report.model import Verdict
from stt_load.run.plan import ALL_REFUSED, Observation, Phase, StagedPlan, Timing
from stt_load.run.search_stages import SearchStages

TIMING = Timing(hold_s=20, settle_s=3, ramp_rate=10, utterance_limit_s=40)
PASS, FAIL, INVALID = TrialResult.PASS, TrialResult.FAIL, TrialResult.INVALID


@dataclass
class Server:
    """Holds so many callers. `lost`: trials, by number, whose report could not be made; `late`: those in which the load
    generator was late."""

    holds: int
    lost: frozenset[int] = frozenset()
    late: frozenset[int] = frozenset()
    users: list[int] = field(default_factory=list)

    def judged(self, stage: int) -> Any:
        result = PASS if self.users[stage] <= self.holds else FAIL
        if stage in self.late:
            result = INVALID
        trial = Trial(self.users[stage], result)
        verdict = Verdict(str(result))
        return (
            None
            if stage in self.lost
            else SimpleNamespace(trial=trial, verdict=verdict, mark=verdict, slos=(), missed=(), broken=())
        )


def searched(server: Server, refused: bool = False, **terms: Any) -> tuple[list[str], str, list[str]]:
    """The phases of a whole search, why it ended, and the lines that were told."""
    told: list[str] = []
    plan = StagedPlan(SearchStages(CapacitySearch(**terms), STREAM, server.judged, told.append), TIMING)
    transition, phases, now_s = plan.start(0.0), [], 0.0
    server.users.append(transition.users)
    while transition.phase is not Phase.DONE:
        phases.append(str(transition.phase))
        found = None
        while found is None:
            now_s += 1.0
            n = plan.users
            found = plan.advance(now_s, Observation(n, n, n, n, 0, is_current=True, refused=n if refused else 0))
        if found.stage > transition.stage:
            server.users.append(found.users)
        transition = found
    return phases, transition.reason, told


def test_a_search_doubles_narrows_and_repeats_both_sides_of_the_edge() -> None:
    server = Server(holds=11)
    phases, why, told = searched(server)
    assert server.users == [1, 2, 4, 8, 16, 12, 10, 11, 11, 12, 11, 12]
    assert phases == ["ramp", "hold", "grace", "settle"] * 12
    assert why == SearchEnd.FOUND
    assert told[4:6] == ["trial 5: 16 callers: fail; next 12", "trial 6: 12 callers: fail; next 10"]
    assert told[-1] == "trial 12: 12 callers: fail; the search is over"


def test_the_search_is_over_where_the_most_that_is_to_be_tried_holds() -> None:
    server = Server(holds=100)
    assert searched(server, first=5, most=12, repeats=1)[1] == SearchEnd.MOST_HOLDS
    assert server.users == [5, 10, 12]


@pytest.mark.parametrize("broken", ["late", "lost"])
def test_a_trial_that_cant_be_believed_is_repeated_once(broken: str) -> None:
    server = Server(holds=1, **{broken: frozenset({1})})
    assert searched(server, repeats=1, most=2)[1] == SearchEnd.FOUND
    assert server.users == [1, 2, 2]


@pytest.mark.parametrize("broken", ["late", "lost"])
def test_the_search_is_over_with_the_second_one(broken: str) -> None:
    server = Server(holds=9, **{broken: frozenset({2, 3})})
    assert searched(server)[1] == SearchEnd.INVALID
    assert server.users == [1, 2, 4, 4]


def test_where_every_caller_of_the_first_trial_is_refused_there_is_no_second() -> None:
    server = Server(holds=0)
    assert searched(server, refused=True)[1] == ALL_REFUSED
    assert server.users == [1]

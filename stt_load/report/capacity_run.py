"""A run that searched for how many callers a server holds: its stages as trials, and the answer from all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from stt_load.capacity.answer import CapacityAnswer, find_answer
from stt_load.capacity.search import CapacitySearch
from stt_load.capacity.trial import CallerCounts, Trial, TrialObjective, TrialResult, misses
from stt_load.metrics.slo import Slo, SloResult, SloVerdict
from stt_load.options import PlanKind
from stt_load.report.model import Knee, StageReport, Verdict
from stt_load.report.raw_rows import Search

_RESULTS = {Verdict.PASS: TrialResult.PASS, Verdict.FAIL: TrialResult.FAIL}


def is_search(run: Mapping[str, Any]) -> bool:
    return run.get("plan") == PlanKind.SEARCH


def first_users(run: Mapping[str, Any]) -> int:
    """The number of callers with which the search began."""
    return int(run.get("search", {}).get("first", 1))


def is_breach_of(breach: str | None, slo: Slo) -> bool:
    """Whether this is the objective that a hold ended early for."""
    return breach is not None and breach.endswith(f" {slo.text}")


def decided(result: SloResult, is_breach: bool) -> SloResult:
    """The result of an objective in a trial, or of one that ended a hold early: the proof comes from the repeats, or
    from the test that ended it."""
    is_missed = misses(result) or (is_breach and result.is_open and result.value is not None)
    return replace(result, verdict=SloVerdict.MISSED, n_needed=None) if is_missed else result


def trial_of(users: int, verdict: Verdict, results: Iterable[SloResult], counts: Mapping[str, CallerCounts]) -> Trial:
    """A stage that has ended, as a trial. `counts`: by text of the objective."""
    objectives = tuple(TrialObjective.of(result, counts.get(result.slo.text)) for result in results)
    return Trial(users, _RESULTS.get(verdict, TrialResult.INVALID), objectives)


def answer_of(run: Mapping[str, Any], stages: Iterable[StageReport]) -> CapacityAnswer | None:
    """What the search has found, over or not; None where the run was no search."""
    if not is_search(run):
        return None
    trials = (stage.trial for stage in stages if stage.trial is not None)
    terms = {key: value for key, value in run.get("search", {}).items() if key in Search.__annotations__}
    return find_answer(CapacitySearch.replayed(trials, **terms))


def knee_of(answer: CapacityAnswer, stages: Iterable[StageReport], ended_at: int | str | None) -> Knee:
    """The knee of such a run: one of the trials that passed with as many callers as hold, and one that failed above."""
    by_users = {(stage.users, stage.verdict): stage for stage in stages}
    above = answer.broke.users if answer.broke else 0
    return Knee(
        holds=by_users.get((answer.holds, Verdict.PASS)),
        breaks=by_users.get((above, Verdict.FAIL)),
        tried=max((users for users, _ in by_users), default=None),
        ended_at=ended_at,
    )

"""The answer of a search in words and rows, in one place, so that the console, the page and the files agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stt_load.capacity.answer import CapacityAnswer, EdgeSide, Shape, ShareCurve
from stt_load.capacity.interval import Interval
from stt_load.capacity.search import SearchEnd
from stt_load.capacity.trial import TrialResult
from stt_load.kinds import LoadKind
from stt_load.metrics.figures import NOTHING
from stt_load.metrics.slo import SloResult
from stt_load.options import Course
from stt_load.report.capacity_run import first_users
from stt_load.report.course import course_of
from stt_load.report.drift_wording import drift_sentence
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.recovery_wording import recovery_sentence
from stt_load.report.text_table import TextTable
from stt_load.report.wording import (
    bound,
    callers,
    knee_sentence,
    objective_name,
    observed,
    percent,
    utterances,
    why_not,
)

TRIALS_TITLE = "Trials"

_SHAPES = {
    Shape.CLIFF: "cliff between {fine} and {collapsed}",
    Shape.SLOPE: "slope from {fine} to {collapsed}",
}


def headline(report: RunReport) -> str:
    """The answer that the run was for, as one sentence without its full stop: how many callers the server holds."""
    course = course_of(report.run)
    if course is Course.SPIKE:
        return recovery_sentence(report)
    if course is Course.SOAK:
        return f"{knee_sentence(report.knee, report.kind)}; {drift_sentence(report)}"
    if report.capacity is None:
        return knee_sentence(report.knee, report.kind)
    return capacity_sentence(report, report.capacity)


def capacity_sentence(report: RunReport, answer: CapacityAnswer) -> str:
    """What a search has found: `holds 42 callers (40–44) at eos_latency p95 < 1s: 42 passed 3 of 3, …`."""
    edge = ", ".join([*_side(answer.held, "passed"), *_side(answer.broke, "failed")])
    claim = f"{_claim(report, answer)} at {_objectives(report)}{f': {edge}' if edge else ''}"
    return "; ".join([claim, *_limit(answer), *_gpu(report, answer), *_end(report, answer)])


def _claim(report: RunReport, answer: CapacityAnswer) -> str:
    if not answer.holds:
        broke = answer.broke
        return (
            f"does not hold {callers(broke.users, report.kind)}"
            if broke
            else "it is not known how many callers it holds"
        )
    first = first_users(report.run)
    at_least = "" if answer.why_over is SearchEnd.FOUND else "at least "
    is_news = answer.interval is not None and (answer.interval.high is not None or answer.low < answer.holds)
    interval = f" ({_interval(answer.interval)})" if is_news else ""
    fewer = f", fewer than the {first} of --from," if answer.holds < first else ""
    return f"holds {at_least}{callers(answer.holds, report.kind)}{interval}{fewer}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.low} or more" if interval.high is None else f"{interval.low}–{interval.high}"


def _objectives(report: RunReport) -> str:
    slos = next((stage.slos for stage in report.stages), ())
    return ", ".join(f"{objective_name(result.slo)} {bound(result.slo)}" for result in slos) or "its objectives"


def _side(side: EdgeSide | None, how: str) -> list[str]:
    if side is None:
        return []
    return [f"{side.users} {how} {side.passed if how == 'passed' else side.failed} of {side.n}"]


def _limit(answer: CapacityAnswer) -> list[str]:
    limits, turn = " and ".join(answer.limited_by), answer.turn
    parts = [f"limited by {limits}"] if limits else []
    if turn is not None and turn.collapsed is not None:
        parts.append(_SHAPES[turn.shape].format(fine=turn.fine, collapsed=turn.collapsed))
    return [", ".join(parts)] if parts else []


def _gpu(report: RunReport, answer: CapacityAnswer) -> list[str]:
    """The mean load of the busiest GPU while as many callers as hold were there."""
    held = [stage for stage in report.stages if stage.users == answer.holds and stage.verdict is Verdict.PASS]
    means = [gpu.busy.mean for stage in held if stage.is_covered("gpu") and (gpu := stage.busiest("gpu"))]
    known = [mean for mean in means if mean is not None]
    return [f"GPU {sum(known) / len(known):.0f} %"] if known else []


def _end(report: RunReport, answer: CapacityAnswer) -> list[str]:
    """How the search ended, where it did not find both sides of the edge."""
    doubts = [finding.detail for stage in report.stages for finding in stage.broken if finding.is_about_server]
    if doubts:  # they are of the whole run
        return [f"no trial can be believed ({doubts[0]})"]
    match answer.why_over:
        case SearchEnd.FOUND:
            return []
        case SearchEnd.MOST_HOLDS:
            return ["--max allows no more"]
        case SearchEnd.INVALID:
            stages = [s for s in report.stages if s.users == answer.invalid_at and s.trial and s.broken]
            why = f" ({why_not(stages[-1])})" if stages else ""
            at = callers(answer.invalid_at or 0, report.kind)
            return [f"with {at} the load generator, not the server, was the limit{why}"]
        case SearchEnd.TRIALS_SPENT:
            return [f"after {answer.trials} trials both sides of the edge still contradict themselves: not decided"]
    if report.verdict is Verdict.FAIL and not any(stage.figures.ok for stage in report.stages):
        return ["no caller got through, so nothing else was tried"]
    how = "the search ended early," if report.run.get("ended_at") else "so far,"
    return [f"{how} after {answer.trials} trial{'' if answer.trials == 1 else 's'}"]


# the table -------------------------------------------------------------------------------------------------


def trial_table(report: RunReport) -> TextTable | None:
    """How the trials ended, and what share was beyond each bound, a row for each number of callers that was tried; None
    where the run was no search."""
    answer = report.capacity
    if answer is None:
        return None
    trials = [stage for stage in report.stages if stage.trial is not None]
    return TextTable(
        ("callers", "passed", "failed", "not valid", *(curve.slo.text for curve in answer.curves)),
        tuple(_row(answer, users, trials) for users in sorted({stage.users for stage in trials})),
        tuple(_table_notes(answer)),
    )


def _row(answer: CapacityAnswer, users: int, trials: Sequence[StageReport]) -> tuple[str, ...]:
    ended = Counter(stage.trial.result for stage in trials if stage.trial and stage.users == users)
    counts = (str(ended[result] or NOTHING) for result in (TrialResult.PASS, TrialResult.FAIL, TrialResult.INVALID))
    return (str(users), *counts, *(_share(curve, users) for curve in answer.curves))


def _share(curve: ShareCurve, users: int) -> str:
    if users not in curve.users:
        return NOTHING
    at = curve.users.index(users)
    return f"{percent(curve.shares[at])} ({percent(curve.fitted[at])})"


def _table_notes(answer: CapacityAnswer) -> list[str]:
    lines = []
    if answer.curves:
        allowed = ", ".join(f"{percent(curve.allowed_share)} with {curve.slo.text}" for curve in answer.curves)
        lines.append(
            "Below each objective: the share of utterances beyond its bound, as it was measured; in brackets, as it is "
            f"on a curve through all trials that never falls as callers are added. Allowed: {allowed}."
        )
    if answer.interval is not None:
        other = _interval(answer.binomial)
        narrow = f" If they were independent of each other, it would be {other}." if other else ""
        lines.append(
            "The interval behind the answer is a 95 % interval: where that curve crosses what is allowed, drawn again "
            "and again from the trials and their callers (bootstrap), because utterances of one trial wait in one "
            f"queue.{narrow}"
        )
    return lines


# while it goes on ------------------------------------------------------------------------------------------


def trial_line(n: int, users: int, stage: StageReport | None, next_users: int | None, kind: LoadKind) -> str:
    """A line about a trial that has just ended: `trial 7: 44 callers: pass, eos_latency p95 0.610 s; next 46`."""
    told = "it could not be judged" if stage is None else stage.mark
    what = ", ".join([told, *([] if stage is None else _found(stage))])
    then = "the search is over" if next_users is None else f"next {next_users}"
    return f"trial {n}: {callers(users, kind)}: {what}; {then}"


def _found(stage: StageReport) -> list[str]:
    if stage.verdict is Verdict.INVALID:
        return [why_not(stage)]
    return [_measured(stage, result) for result in stage.missed or stage.slos[:1] if result.value is not None]


def _measured(stage: StageReport, result: SloResult) -> str:
    """What was measured; and where a trial passes with a value beyond the bound, why."""
    if stage.verdict is Verdict.PASS and not result.seems_met:
        return f"{observed(result)}: {utterances(result.n or 0)} can't prove a miss"
    return observed(result)

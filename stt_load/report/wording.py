"""How figures are said, in one place, so that the table, the page and the XML say them alike."""

from __future__ import annotations

import math
from collections.abc import Iterable

from stt_load.kinds import STREAM, LoadKind
from stt_load.metrics.figures import NOTHING, Unit
from stt_load.metrics.slo import Slo, SloResult, SloVerdict
from stt_load.report.device import COVERED, LOST, is_covered
from stt_load.report.model import Knee, RunReport, StageReport, Verdict

DOUBT = "?"
GONE = "lost"

_VERBS = {
    SloVerdict.MET: "meets",
    SloVerdict.MISSED: "misses",
    SloVerdict.UNDECIDED: "may or may not meet",
}


def seconds(value: float | None) -> str:
    """`1.420 s`: milliseconds are worth reading, microseconds are not."""
    return NOTHING if value is None else f"{value:.3f} s"


def percent(ratio: float | None) -> str:
    """`8.3 %` of 0.083."""
    return NOTHING if ratio is None else f"{ratio * 100:.1f} %"


def observed(result: SloResult) -> str:
    """`eos_latency p95 1.420 s`."""
    name = " ".join(part for part in (result.slo.figure.name, result.slo.statistic) if part)
    return f"{name} {_value(result)}"


def bound(slo: Slo) -> str:
    """`< 800ms`, as the user wrote it."""
    sign = "<" if slo.is_strict else "<="
    return f"{sign} {slo.text.partition(sign)[2]}"


def judged(result: SloResult) -> str:
    """`eos_latency p95 1.420 s misses < 1s`, and why it can't be said where it can't."""
    if result.value is None:
        return f"{result.slo.text}: nothing was measured"
    said = f"{observed(result)} {_VERBS[result.verdict]} {bound(result.slo)}"
    is_open = result.verdict is SloVerdict.UNDECIDED
    return f"{said}: {result.n} samples, {result.n_needed} needed" if is_open else said


def why_not(stage: StageReport) -> str:
    """Why a stage does not pass, in one clause."""
    if stage.verdict is Verdict.EMPTY:
        return "nothing was counted"
    if stage.verdict is Verdict.INVALID:
        return "; ".join(f"{finding.condition} is not met: {finding.detail}" for finding in stage.broken)
    return "; ".join(judged(result) for result in stage.missed)


def knee_sentence(knee: Knee, kind: LoadKind = STREAM) -> str:
    """The answer to the question of the whole program."""
    if knee.holds is None and knee.breaks is None:
        return "no stage was run"
    held = f"holds {callers(knee.holds.users, kind)}{_per_gpu(knee.holds)}" if knee.holds else "no stage passes"
    if knee.breaks is None:
        return f"{held}, the most that were tried; the knee is above"
    if knee.breaks.verdict is Verdict.FAIL:
        return f"{held}; at {knee.breaks.users} {why_not(knee.breaks)}"
    return f"{held}; the stage of {knee.breaks.users} can't be judged: {why_not(knee.breaks)}"


def _per_gpu(stage: StageReport) -> str:
    """Said where it is another number than the stage's own."""
    streams = stage.streams_per_gpu
    return "" if streams is None or streams == stage.users else f", {streams:g} for each GPU that worked"


def callers(users: int, kind: LoadKind = STREAM) -> str:
    return f"{users} {kind.caller if users == 1 else kind.callers}"


def sampled(text: str, coverage: float | None) -> str:
    """A figure of samples: `62`, `62?` or `lost`, by the share of the hold that they cover."""
    if coverage is not None and coverage < LOST:
        return GONE
    return text if text == NOTHING or is_covered(coverage) else text + DOUBT


def sampled_explanation(cells: Iterable[str]) -> list[str]:
    """What `sampled` means, where one of the cells needs it."""
    if not any(cell == GONE or cell.endswith(DOUBT) for cell in cells):
        return []
    return [f"{DOUBT} samples cover less than {COVERED:.0%} of the hold; {GONE}: less than {LOST:.0%}, or none came."]


def title(report: RunReport) -> str:
    """`label · dialect · run id`, whatever of them the run has, and what kind of figures these are."""
    run = report.run
    parts = (run.get("label"), run.get("dialect"), run.get("run_id"), report.kind.subtitle)
    return " · ".join(str(part) for part in dict.fromkeys(parts) if part)


def _value(result: SloResult) -> str:
    if result.value is None:
        return NOTHING
    if math.isinf(result.value):
        return "falls on utterances that failed, which"
    match result.slo.figure.unit:
        case Unit.SECONDS:
            return seconds(result.value)
        case Unit.RATIO:
            return percent(result.value)
        case Unit.COUNT:
            return f"{result.value:.0f}"
        case _:
            return f"{result.value:.3f}"

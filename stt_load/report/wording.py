"""The sentences about figures, in one place, so that the table, the page and the XML agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from stt_load.kinds import STREAM, LoadKind
from stt_load.metrics.bootstrap import MIN_CLUSTERS
from stt_load.metrics.figures import NOTHING, Unit
from stt_load.metrics.slo import Slo, SloResult, SloVerdict
from stt_load.report.device import COVERED, LOST, is_covered
from stt_load.report.figure_words import figure_value
from stt_load.report.model import Knee, RunReport, StageReport, Verdict

DOUBT = "?"
LOST_TEXT = "lost"
_SHORT_S = 120.0  # of a run whose length is told in seconds


def seconds(value: float | None) -> str:
    """A time with milliseconds: `1.420 s`."""
    return NOTHING if value is None else f"{value:.3f} s"


def percent(ratio: float | None) -> str:
    """A ratio in percent: 0.083 is `8.3 %`."""
    return NOTHING if ratio is None else f"{ratio * 100:.1f} %"


def observed(result: SloResult) -> str:
    """The figure, statistic and value of a result: `eos_latency p95 1.420 s`."""
    return f"{objective_name(result.slo)} {_value(result)}"


def bound(slo: Slo) -> str:
    """The bound as the user wrote it: `< 800ms`."""
    sign = "<" if slo.is_strict else "<="
    return f"{sign} {slo.text.partition(sign)[2]}"


def judged(result: SloResult) -> str:
    """The result as a clause, `eos_latency p95 1.420 s misses < 1s`, or why that can't be decided."""
    if result.value is None:
        return f"{result.slo.text} can't be judged: nothing was measured"
    if result.verdict is SloVerdict.UNDECIDED:
        meets = "meets" if result.seems_met else "misses"
        return f"{observed(result)} {meets} {bound(result.slo)}, but {_not_proven(result)}"
    if math.isinf(result.value):
        name = objective_name(result.slo)
        return f"{name} failed: the utterance at that percentile did not complete (SLO {bound(result.slo)})"
    return f"{observed(result)} {'meets' if result.verdict is SloVerdict.MET else 'misses'} {bound(result.slo)}"


def _not_proven(result: SloResult) -> str:
    """How many utterances are too few: `72 utterances don't prove it: that needs about 299`."""
    subject = f"{_samples(result)} {'does' if result.n == 1 else 'do'}n't prove it"
    return f"{subject}: {'it is' if result.n_needed is None else 'that needs'} {needed(result)}"


def _samples(result: SloResult) -> str:
    """What was measured of the objective: `72 utterances`."""
    return f"{result.n or 0} {result.slo.figure.of}{'' if result.n == 1 else 's'}"


def needed(result: SloResult) -> str:
    """About how many utterances (or calls) would decide an objective."""
    if result.n_needed is None:
        return "too close for any number"
    is_rate_without_limits = result.slo.figure.unit is Unit.RATIO and result.low is result.high is None
    of = f", of {MIN_CLUSTERS} or more clips" if result.slo.figure.of == "utterance" else " in a longer hold"
    clips = of if is_rate_without_limits else ""
    return f"about {result.n_needed}{clips}{', here and in the first stage' if result.compares else ''}"


def stage_heading(is_open_loop: bool) -> str:
    """The heading of the column with the names of stages: numbers of callers, or with --arrivals rates of calls."""
    return "Calls" if is_open_loop else "Conc"


def utterances(n: int) -> str:
    return f"{n} utterance{'' if n == 1 else 's'}"


def why_not(stage: StageReport) -> str:
    """Why a stage does not pass, as one clause."""
    if stage.verdict is Verdict.EMPTY:
        return "nothing was counted"
    if stage.verdict is Verdict.INVALID:
        return "; ".join(finding.detail for finding in stage.broken)
    return "; ".join(judged(result) for result in stage.missed)


def knee_sentence(knee: Knee, kind: LoadKind = STREAM) -> str:
    """How many callers the server holds, as one sentence: the answer that the run was for."""
    if knee.holds is None and knee.breaks is None:
        return "no stage was run"
    return "; ".join(filter(None, [_held(knee, kind), _limit(knee, kind), _end(knee, kind)]))


def _held(knee: Knee, kind: LoadKind) -> str:
    stage = knee.holds
    if stage is None:
        return "the smallest stage does not pass, though a larger one does" if knee.passes_above else "no stage passes"
    proof = f", not proven by {utterances(stage.figures.n)}" if stage.is_few else ""
    return f"holds {callers(stage.rate or stage.users, kind)}{_in_erlangs(stage)}{_per_gpu(stage)}{proof}"


def _in_erlangs(stage: StageReport) -> str:
    """What a rate of calls means in callers."""
    return f" ({stage.calls.erlangs:.3g} erlangs)" if stage.calls else ""


def _limit(knee: Knee, kind: LoadKind) -> str:
    """What happened at the smallest stage that does not pass, or how far it was tried."""
    if knee.breaks is None:
        return f"nothing above {knee.tried_rate or knee.tried} was tried"
    breaks = knee.breaks.rate or knee.breaks.users
    if knee.breaks.verdict is Verdict.FAIL:
        return f"at {breaks} {why_not(knee.breaks)}"
    return f"{callers(breaks, kind)} can't be judged: {why_not(knee.breaks)}"


def _end(knee: Knee, kind: LoadKind) -> str:
    return "" if knee.ended_at is None else f"the run ended early at {callers(knee.ended_at, kind)}"


def _per_gpu(stage: StageReport) -> str:
    """Callers for each GPU, where that differs from the callers of the stage."""
    streams = stage.streams_per_gpu
    return "" if streams is None or streams == stage.users else f" ({streams:g} for each GPU that worked)"


def stage_names(users: Mapping[int, int | str]) -> dict[int, str]:
    """The name of each stage: its callers, `10`, or the rate of its calls, `12/min`, and its place in the run where
    others have as many, `10 (stage 2)`.

    `users`: stage -> callers, or the rate. People count from 1, as in the lines that a run prints; the files count
    from 0.
    """
    uses = Counter(users.values())
    return {stage: str(n) if uses[n] == 1 else f"{n} (stage {stage + 1})" for stage, n in users.items()}


def names_of(stages: Iterable[StageReport]) -> dict[int, str]:
    """The names of all stages of a report, by their numbers."""
    return stage_names({stage.figures.stage: stage.rate or stage.users for stage in stages})


def callers(users: int | str, kind: LoadKind = STREAM) -> str:
    """Callers, or the name of a stage, with their word: `10 callers`, `10 callers (stage 2)`, `12 calls/min`."""
    n, _, stage = str(users).partition(" ")
    calls, slash, unit = n.partition("/")
    if slash:
        return f"{calls} calls/{unit}{f' {stage}' if stage else ''}"
    return f"{n} {kind.caller if n == '1' else kind.callers}{f' {stage}' if stage else ''}"


def at_callers(users: Sequence[int | str], kind: LoadKind) -> str:
    """The stages that a line is about, by callers or by name: `at 5, 10 callers`."""
    if len(users) == 1 or "/" in str(users[0]):
        return f"at {', '.join(callers(each, kind) for each in users)}"
    return f"at {', '.join(map(str, users))} {kind.callers}"


def sampled(text: str, coverage: float | None) -> str:
    """A figure made of samples, marked by the share of the hold that they cover: `62`, `62?` or `lost`."""
    if coverage is not None and coverage < LOST:
        return LOST_TEXT
    return text if text == NOTHING or is_covered(coverage) else text + DOUBT


def sampled_explanation(cells: Iterable[str]) -> list[str]:
    """One line about the marks of `sampled`, if one of the cells has any."""
    if not any(cell == LOST_TEXT or cell.endswith(DOUBT) for cell in cells):
        return []
    return [
        f"{DOUBT} samples cover less than {100 * COVERED:.0f} % of the hold; {LOST_TEXT}: less than {100 * LOST:.0f} %."
    ]


def title(report: RunReport) -> str:
    """The title of a report, `label · dialect · run id` as far as the run has them, and the kind of load."""
    run = report.run
    parts = (run.get("label"), run.get("dialect"), run.get("run_id"), report.kind.subtitle)
    return " · ".join(str(part) for part in dict.fromkeys(parts) if part)


def where_and_when(report: RunReport) -> list[str]:
    """The server's address, when the run began and how long it took, as far as that is known."""
    run = report.run
    began, ended = run.get("started_at"), run.get("ended_at")
    took_s = ended - began if began and ended else None
    took = None if took_s is None else f"{took_s:.0f} s" if took_s < _SHORT_S else f"{took_s / 60:.0f} min"
    return [str(fact) for fact in (run.get("stt_url"), utc(began) if began else None, took) if fact]


def utc_minute(t: float) -> str:
    """The same to the minute, without the name of the clock: `2026-11-29 09:30`."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M")


def utc(t: float) -> str:
    """A moment in seconds since 1970 as a date: `2026-11-29 09:30:00 UTC`."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def objective_name(slo: Slo) -> str:
    """The figure and statistic of an objective: `eos_latency p95`."""
    return f"{slo.figure.name} {slo.statistic}" if slo.statistic else slo.figure.name


def _value(result: SloResult) -> str:
    if result.value is None:
        return NOTHING
    if math.isinf(result.value):
        return "of a failed utterance"
    return figure_value(result.slo.figure, result.value)

"""Reads a run folder as one side of a comparison. Its figures are those of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stt_load.comparison.caller_values import CallerValues, read_caller_values
from stt_load.comparison.measures import HOLDS, MEASURES, Measure, measure_named
from stt_load.comparison.noise import Basis, Observation
from stt_load.comparison.results import Load, Result, merged_loads
from stt_load.metrics.caller_bootstrap import StandardError, share_error, standard_errors
from stt_load.metrics.figures import SAMPLED_DEVICES
from stt_load.metrics.quantiles import percentile
from stt_load.metrics.slo import Slo, SloVerdict
from stt_load.metrics.student_t import LIKE_NORMAL
from stt_load.report.course import way_up
from stt_load.report.device import is_covered
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.recovery_wording import recovery_sentence
from stt_load.report.report_files import read_report
from stt_load.report.run_facts import hardware, run_facts
from stt_load.report.wording import at_callers, names_of, why_not

NOT_OF_THE_FIGURES = "enough samples"
"""The condition whose breach leaves the figures true: only the objectives are not decided."""

_WIDTH_OF_95 = 3.92  # standard errors from one end of a 95 % interval to the other
_NOT_ENDED = "the run was killed, or is still going on"
_PROVEN = {SloVerdict.MET: True, SloVerdict.MISSED: False}


def read_run(folder: Path, asked: Iterable[Measure] = ()) -> Result:
    """The run of this folder. `asked`: measures that targets are set on. Raises ConfigError as a report does."""
    report = read_report(folder)
    kind = report.kind
    slos = tuple(dict.fromkeys(result.slo for stage in report.stages for result in stage.slos))
    measures = _of_stages([*MEASURES[kind], *asked, *map(measure_of, slos)])
    figures = [measure.figure for measure in measures if measure.figure.is_distribution]
    by_caller = read_caller_values(folder, report.run.get("run_id"), kind.name, list(dict.fromkeys(figures)))
    believed = [stage for stage in way_up(report.run, report.stages) if not _disbelief(stage)]
    loads = [_load(stage, measures, by_caller.get(stage.figures.stage, CallerValues())) for stage in believed]
    return Result(
        label=str(report.run.get("label") or report.run.get("run_id") or folder.name),
        paths=(str(folder),),
        what=f"a run of {kind.title.partition(',')[0]}",
        caller=kind.caller,
        callers=kind.callers,
        measures=MEASURES[kind],
        loads=merged_loads(loads),
        whole=_whole(report),
        facts=run_facts(report.run),
        hardware=hardware(report.run),
        started_at=report.run.get("started_at"),
        slos=slos,
        left_out=tuple(_left_out(report)),
        doubts=tuple(_doubts(report)),
        notes=tuple(_notes(report)),
    )


def measure_of(slo: Slo) -> Measure:
    """What an objective is about."""
    return measure_named(f"{slo.figure.name}:{slo.statistic}" if slo.statistic else slo.figure.name)


def _of_stages(measures: Iterable[Measure]) -> list[Measure]:
    """Each measure of a stage once: what a whole run holds is no figure of a stage."""
    return list({measure.key: measure for measure in measures if measure.figure is not HOLDS}.values())


def _disbelief(stage: StageReport) -> str:
    """Why the figures of a stage are not to be believed; nothing where they are."""
    if stage.verdict is Verdict.EMPTY:
        return why_not(stage)
    return "; ".join(finding.detail for finding in stage.broken if finding.condition != NOT_OF_THE_FIGURES)


def _left_out(report: RunReport) -> Iterable[str]:
    """Why stages are not compared, a line for each reason."""
    names = names_of(report.stages)
    why: dict[str, list[str]] = {}
    for stage in report.stages:
        if disbelief := _disbelief(stage):
            why.setdefault(disbelief, []).append(names[stage.figures.stage])
    return (f"{at_callers(stages, report.kind)}: {disbelief}" for disbelief, stages in why.items())


def _doubts(report: RunReport) -> Iterable[str]:
    """Why the run as a whole is not to be believed: not where a stage is invalid above the first that clearly fails."""
    if report.verdict is Verdict.ERROR:
        yield f"the run failed: {report.run.get('failure')}"
    elif report.verdict is Verdict.EMPTY:
        yield "nothing was counted"
    elif report.verdict is Verdict.INVALID:
        doubtful = report.knee.breaks or next(filter(_disbelief, report.stages), None)  # one on the way down
        if report.capacity is not None:
            yield "the search found no answer"
        elif doubtful is not None and (disbelief := _disbelief(doubtful)):
            yield f"{at_callers([doubtful.rate or doubtful.users], report.kind)}: {disbelief}"
        elif report.recovery is not None:
            yield recovery_sentence(report)
        elif doubtful is None:
            yield _NOT_ENDED


def _notes(report: RunReport) -> Iterable[str]:
    if report.verdict is Verdict.ABORTED:
        yield "the run was ended early"
    elif report.run.get("ended_at") is None:
        yield _NOT_ENDED
    if len(way_up(report.run, report.stages)) < len(report.stages):
        yield "what came after its most callers is not compared"


def _load(stage: StageReport, measures: Sequence[Measure], by_caller: CallerValues) -> Load:
    errors = _errors(stage, measures, by_caller)
    observed = {measure.key: _observed(stage, measure, errors.get(measure.key)) for measure in measures}
    return Load(
        name=stage.rate or str(stage.users),
        observed={key: (observation,) for key, observation in observed.items() if observation is not None},
        objectives={result.slo.text: (_PROVEN.get(result.verdict),) for result in stage.slos},
    )


def _errors(
    stage: StageReport, measures: Sequence[Measure], by_caller: CallerValues
) -> dict[str, StandardError | None]:
    """The standard error of each measure that utterances tell it of, by its key. A percentile needs enough of them."""
    errors: dict[str, StandardError | None] = {"error_rate": share_error(by_caller.failures())}
    for figure in dict.fromkeys(measure.figure for measure in measures if measure.figure.name in by_caller.values):
        statistics = [
            measure.statistic
            for measure in measures
            if measure.figure is figure and measure.statistic and not _is_few(stage, measure)
        ]
        found = standard_errors(by_caller.sample(figure), [name for name in statistics if name not in ("min", "max")])
        errors |= {f"{figure.name}:{statistic}": error for statistic, error in found.items()}
    return errors


def _observed(stage: StageReport, measure: Measure, error: StandardError | None) -> Observation | None:
    figure, statistic = measure.figure, measure.statistic
    if figure.source in SAMPLED_DEVICES and not is_covered(stage.coverage_of(figure)):
        return None
    if figure.is_distribution:
        estimate = stage.figures.estimate(figure, statistic)
        value = None if estimate is None else estimate.value
    else:
        value = stage.value(figure, statistic)
    if value is None:
        return None
    clips = stage.figures.clip_errors if figure.name == "wer" else None
    return Observation(value, error, clips=clips, is_few=_is_few(stage, measure))


def _is_few(stage: StageReport, measure: Measure) -> bool:
    """Too few utterances were measured for the percentile."""
    p = percentile(measure.statistic)
    if p is None or not measure.figure.is_distribution:
        return False
    return not stage.figures.distributions[measure.figure.name].supports(p)


def _whole(report: RunReport) -> Mapping[str, tuple[Observation, ...]]:
    """How many callers the run holds: what a search found with its interval, or the knee of a ladder."""
    answer, knee = report.capacity, report.knee
    if report.is_open_loop:  # it holds a rate of calls
        return {}
    if answer is not None and answer.interval is not None:
        low, high = answer.interval.low, answer.interval.high
        error = (
            None if high is None else StandardError((high - low + 1) / _WIDTH_OF_95, LIKE_NORMAL)
        )  # to a whole caller
        return {HOLDS.name: (Observation(answer.holds, error, Basis.INTERVAL, interval=(low, high)),)}
    if knee.holds is not None or (knee.breaks is not None and knee.breaks.verdict is Verdict.FAIL):
        return {HOLDS.name: (Observation(knee.holds.users if knee.holds else 0),)}
    return {}

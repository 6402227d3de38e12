"""What a run says about one replica: the server as it was tested, however many GPUs or processes that has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stt_load.errors import ExitCode, SttLoadError
from stt_load.kinds import LoadKind
from stt_load.metrics.figures import FAILED, FIGURES_BY_NAME, Figure
from stt_load.metrics.quantiles import REPORTED, Distribution, percentile, smallest_n
from stt_load.report.device import DeviceFigures, is_covered
from stt_load.report.knee import exit_code
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.report_files import read_report
from stt_load.report.run_facts import what_was_asked
from stt_load.report.wording import DOUBT, needed, observed, why_not
from stt_load.sizing.identity import Identity, machine_of

_LATENCIES = ("eos_latency", "total", "first_audio")

Latencies = dict[str, dict[str, float | None]]
"""The latencies by figure and statistic, in seconds: infinite where that one failed, None where nothing is known."""


class Unusable(SttLoadError):
    """A run that nothing can be sized by: it is not to be believed, or the server holds nobody."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOT_BELIEVABLE


@dataclass(frozen=True, slots=True)
class ServerCpu:
    """The server's processes in the hold. `limit_cores`, `held_back`: of its control group, None without a limit."""

    cores_mean: float
    cores_p95: float
    memory_peak_mib: float | None
    limit_cores: float | None
    held_back: float | None


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica under the most load that it holds.

    `holds`: K, in callers (or requests at once). `source`: where K comes from, one sentence. `proof`: how proven it is.
    `at_users`: callers of the stage that the other figures are of. `duty`: share of the hold in which the mean test
    caller sent audio; None for requests. `requests_per_s`, `audio_s`: of requests, completed ones and their mean audio.
    `gpus`: GPUs that worked. None: not measured, or not defined for this kind of load.
    """

    run_id: str
    kind: LoadKind
    model: Identity
    machine: Identity
    holds: int
    source: str
    proof: str
    is_proven: bool
    is_open_above: bool
    at_users: int
    latency: Latencies
    n: int
    duty: float | None
    requests_per_s: float | None
    audio_s: float | None
    gpus: float | None
    joules_per_audio_min: float | None
    cpu: ServerCpu | None

    @property
    def is_paced(self) -> bool:
        return self.kind.is_paced


def read_replica(folder: Path) -> Replica:
    """Reads a run folder. Raises ConfigError where there is none, Unusable where nothing follows from it."""
    return replica_of(read_report(folder), str(folder))


def replica_of(report: RunReport, name: str) -> Replica:
    """The replica of a report. `name`: what errors call it. Raises Unusable."""
    if exit_code(report) not in (ExitCode.FINE, ExitCode.SLO_MISSED):
        verdict = f"its verdict is {report.verdict}{_reason(report)}"
        raise Unusable(f"{name}: nothing can be sized by this run: {verdict}; `stt-load report` says what to do")
    if report.is_open_loop:
        raise Unusable(f"{name}: its stages are rates of calls, not callers: give a ladder, or `stt-load find`")
    holds, source, is_open_above = _capacity(report)
    stages = _stages_at(report, holds)
    if not holds or not stages:
        raise Unusable(f"{name}: the server holds nobody{_reason(report)}")
    stage = stages[0]
    run, kind = report.run, report.kind
    return Replica(
        run_id=str(run.get("run_id")),
        kind=kind,
        model=what_was_asked(run),
        machine=machine_of(run),
        holds=holds,
        source=source,
        proof=_proof(report, stage),
        is_proven=not stage.is_few if report.capacity is None else report.capacity.interval is not None,
        is_open_above=is_open_above,
        at_users=stage.users,
        latency=_latencies(stages, kind),
        n=sum(stage.figures.n - stage.figures.interrupted for stage in stages),
        duty=stage.duty_cycle if kind.is_paced else None,
        requests_per_s=None if kind.is_paced else stage.requests_per_s,
        audio_s=None if kind.is_paced else stage.figures.utterance_s_mean,
        gpus=stage.users / stage.streams_per_gpu if stage.streams_per_gpu else None,
        joules_per_audio_min=_joules(stage),
        cpu=server_cpu(stage),
    )


def _reason(report: RunReport) -> str:
    """Why the run is as it is, as the end of a sentence; nothing where the report has no clause for it."""
    failure, breaks = report.run.get("failure"), report.knee.breaks
    if failure:
        return f": {failure}"
    return f": {why_not(breaks)}" if breaks else ""


def _capacity(report: RunReport) -> tuple[int, str, bool]:
    """K, where it comes from, and whether the server may hold more because nothing above was tried."""
    answer = report.capacity
    low, high = capacity_bounds(report)
    if answer is None:
        breaks = report.knee.breaks
        limit = f"at {breaks.users} {why_not(breaks)}" if breaks else f"nothing above {report.knee.tried} was tried"
        return low, f"the knee of the ladder; {limit}", high is None
    if answer.interval is None:
        return low, "the answer of `stt-load find`, which has no interval", high is None
    ends = f"{answer.low} to {answer.high}" if high else f"{answer.low} and more"
    return low, f"the lower end of the interval of `stt-load find`, {ends}; its answer is {answer.holds}", high is None


def capacity_bounds(report: RunReport) -> tuple[int, int | None]:
    """Callers that the server holds (0: nobody), and what bounds that from above; None where nothing does."""
    answer = report.capacity
    if answer is not None:
        return answer.low, answer.high
    knee = report.knee
    return (knee.holds.users if knee.holds else 0), (knee.breaks.users if knee.breaks else None)


def _stages_at(report: RunReport, users: int) -> list[StageReport]:
    """The stages that figures at this load are taken from, the one with the most utterances first.

    They have as many callers as held in a search, whose trials were repeated; else as many as the stage that passes
    with so many callers, or the next more, or else the next fewer.
    """
    answer = report.capacity
    passed = {stage.users for stage in report.stages if stage.verdict is Verdict.PASS}
    above = {passing for passing in passed if passing >= users}
    chosen = answer.held.users if answer and answer.held else min(above, default=max(passed, default=None))
    found = [stage for stage in believable_stages(report) if stage.users == chosen]
    return sorted(found, key=lambda stage: -stage.figures.n)


def believable_stages(report: RunReport) -> Iterator[StageReport]:
    """Those whose verdict is pass or fail."""
    return (stage for stage in report.stages if stage.verdict.is_believable)


def pooled(stages: Sequence[StageReport], figure: Figure) -> Distribution:
    """The values of a figure in all these stages, those of failed utterances infinite."""
    values: list[float] = []
    for stage in stages:
        values += stage.figures.with_failed(figure).values
    return Distribution.of(values)


def _proof(report: RunReport, stage: StageReport) -> str:
    answer = report.capacity
    if answer is not None:
        sides = [
            f"{side.users} passed {side.passed} of {side.n} trials" for side in (answer.held, answer.broke) if side
        ]
        return f"by repeats: {', '.join(sides)}"
    if not stage.is_few:
        return f"every objective is proven at {stage.users} ({stage.mark})"
    missing = "; ".join(f"{observed(result)}, utterances needed: {needed(result)}" for result in stage.unproven)
    return f"it is not proven ({stage.mark}): {missing}"


def _latencies(stages: Sequence[StageReport], kind: LoadKind) -> Latencies:
    """Those latencies that this kind of load has and that were measured."""
    found: Latencies = {}
    for name in _LATENCIES:
        figure = FIGURES_BY_NAME[name]
        if kind in figure.kinds and any(stage.figures.distributions[name].n for stage in stages):
            values = pooled(stages, figure)
            found[name] = {statistic: values.statistic(statistic) for statistic in REPORTED}
    return found


def server_cpu(stage: StageReport) -> ServerCpu | None:
    """The busiest server's processes; None where a sidecar has not covered the hold."""
    device: DeviceFigures | None = stage.busiest("process")
    if device is None or not is_covered(device.coverage) or device.busy.mean is None:
        return None
    held_back = device.of("cpu_throttled_pct").mean
    return ServerCpu(
        cores_mean=device.busy.mean,
        cores_p95=device.busy.at(0.95) or device.busy.mean,
        memory_peak_mib=device.memory.max,
        limit_cores=device.of("cpu_limit_cores").max,
        held_back=None if held_back is None else held_back / 100,
    )


def _joules(stage: StageReport) -> float | None:
    """Energy of all GPUs for a minute of audio; None where one of them has no figure."""
    energies = [device.energy_per_audio_minute_j for device in stage.devices if device.device.kind == "gpu"]
    known = [energy for energy in energies if energy is not None]
    return math.fsum(known) if known and len(known) == len(energies) else None


def latency_clause(values: Mapping[str, float | None], n: int) -> str:
    """`P50 412 ms, P95 610 ms, P99 700 ms?`: with a mark where n values are too few for the percentile."""
    return ", ".join(
        f"{statistic.upper()} {_milliseconds(value)}{'' if n >= smallest_n(percentile(statistic) or 0.5) else DOUBT}"
        for statistic, value in values.items()
    )


def _milliseconds(value_s: float | None) -> str:
    if value_s is None:
        return "not measured"
    return FAILED if math.isinf(value_s) else f"{1000 * value_s:.0f} ms"

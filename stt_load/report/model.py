"""The report of a run as one frozen value, which is all that the writers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from stt_load.capacity.answer import CapacityAnswer
from stt_load.capacity.arrivals import CallLoad
from stt_load.capacity.call_tally import CallFigures
from stt_load.capacity.trial import Trial
from stt_load.kinds import KINDS, STREAM, LoadKind
from stt_load.metrics.connection_age import AgeFigures
from stt_load.metrics.drift import Drift
from stt_load.metrics.figures import SAMPLED_DEVICES, Figure, Source
from stt_load.metrics.pauses import PauseFigures
from stt_load.metrics.quantiles import OF_VALUES, Distribution
from stt_load.metrics.recovery import Recovery
from stt_load.metrics.slo import SloResult, SloVerdict
from stt_load.metrics.stage import StageFigures
from stt_load.metrics.validity import Finding
from stt_load.records import UtteranceRecord
from stt_load.report.device import DeviceFigures, is_covered
from stt_load.report.run_timeline import RunTimeline
from stt_load.server_metrics.figures import ServerFigure

SCHEMA_VERSION = 2
"""The version of `summary.json`. It grows with every change that an older reader would misread."""


WORKED_PCT = 1.0
"""A GPU with a lower mean utilisation did no work in the hold."""


class Verdict(StrEnum):
    """The verdict of a stage or of a run. Only a run can be ABORTED or end in an ERROR."""

    PASS = "pass"
    FAIL = "fail"  # believable, and an SLO was missed
    INVALID = "invalid"  # not to be believed
    EMPTY = "empty"  # nothing was counted
    ABORTED = "aborted"  # ended early by a signal; a run only
    ERROR = "error"  # the program failed, or the disk that it writes to; a run only

    @property
    def is_believable(self) -> bool:
        """Whether the figures of what was judged so prove anything."""
        return self in (Verdict.PASS, Verdict.FAIL)


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage: figures, evidence and verdict. Wall-clock times are seconds since 1970."""

    figures: StageFigures
    verdict: Verdict
    findings: tuple[Finding, ...]
    slos: tuple[SloResult, ...]
    left_open: tuple[SloResult, ...]  # of these, what had to be decided and is not
    devices: tuple[DeviceFigures, ...]  # by host, GPUs first
    hold_span: tuple[float, float] | None  # when the hold began and ended
    duty_cycle: float | None  # share of the hold in which the mean caller was sending audio
    workers: int | None
    users_reached: int | None
    generator_cpu_pct: float | None
    ages: tuple[AgeFigures, ...] = ()  # where connections carry several utterances
    slowest: tuple[UtteranceRecord, ...] = ()  # completed utterances that took longest, the worst first
    most_wrong: tuple[UtteranceRecord, ...] = ()  # completed utterances with the highest WER, the worst first
    breach: str | None = None  # why its hold ended early, a clause; None where it did not
    trial: Trial | None = field(default=None, compare=False)  # in a search, once it has settled
    server: tuple[ServerFigure, ...] = ()  # what the server says of itself
    by_pause: tuple[PauseFigures, ...] = ()  # where clips were given pauses
    before_hold: Distribution = field(default_factory=Distribution, compare=False)  # headline figure of utterances that
    # began before the hold, do not count and ended in it; infinite where one failed
    load: CallLoad | None = None  # with --arrivals: what the stage offered
    calls: CallFigures | None = None  # and what came of it; None where its hold never ended
    places: int | None = None  # callers that the server takes, as the refusals of the run show

    @property
    def users(self) -> int:
        return self.figures.users

    @property
    def rate(self) -> str | None:
        """How many calls came, as it was typed: the stage's name. Only with --arrivals."""
        return self.load.rate if self.load else None

    @property
    def level(self) -> float:
        """How much load the stage is: callers, or with --arrivals the erlangs that were asked for. Stages are in its
        order, and charts have it as their axis."""
        return self.load.erlangs if self.load else self.users

    @property
    def erlangs(self) -> float | None:
        return self.calls.erlangs if self.calls else None

    @property
    def erlang_b(self) -> float | None:
        return self.calls.erlang_b(self.places) if self.calls else None

    @property
    def on_line_mean(self) -> float | None:
        return self.calls.on_line_mean if self.calls else None

    @property
    def on_line_max(self) -> int | None:
        return self.calls.on_line_max if self.calls else None

    @property
    def call_s(self) -> float | None:
        return self.calls.call_s if self.calls else None

    @property
    def calls_due(self) -> int | None:
        return self.calls.due if self.calls else None

    @property
    def calls_not_started(self) -> int | None:
        return self.calls.not_started if self.calls else None

    @property
    def hold_s(self) -> float | None:
        return self.hold_span[1] - self.hold_span[0] if self.hold_span else None

    @property
    def is_few(self) -> bool:
        """The stage passes, but too few utterances were measured to prove it."""
        return bool(self.unproven)

    @property
    def unproven(self) -> tuple[SloResult, ...]:
        """Objectives of a stage that passes which are met without a proof, or (in a trial) missed without one."""
        if self.verdict is not Verdict.PASS:
            return ()
        return tuple(result for result in self.slos if result.verdict is SloVerdict.UNDECIDED)

    @property
    def mark(self) -> str:
        """The verdict as tables print it: `pass*` where it is not proven."""
        return f"{self.verdict}*" if self.is_few else str(self.verdict)

    @property
    def missed(self) -> tuple[SloResult, ...]:
        """Objectives missed for certain; none where the stage can't be believed."""
        if self.verdict is not Verdict.FAIL:
            return ()
        return tuple(result for result in self.slos if result.verdict is SloVerdict.MISSED)

    @property
    def broken(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.is_met)

    def busiest(self, kind: str) -> DeviceFigures | None:
        """The device of this kind with the highest mean load, which the main table shows. `devices` has them all."""
        return max(self._devices(kind), key=lambda figures: figures.busy.mean or 0.0, default=None)

    def coverage(self, kind: str) -> float | None:
        """Share of the hold with samples, of the device of this kind that was sampled worst; None without any."""
        return _worst([figures.coverage for figures in self._devices(kind)])

    def is_covered(self, kind: str) -> bool:
        return is_covered(self.coverage(kind))

    @property
    def gpu_coverage(self) -> float | None:
        """Share of the hold with samples, of the GPU that was sampled worst."""
        return self.coverage("gpu")

    def measured(self, figure: Figure) -> Distribution | float | None:
        """The value of a figure, whatever its source. None: it was not measured on this stage."""
        if figure.source in SAMPLED_DEVICES:
            busiest = self.busiest(SAMPLED_DEVICES[figure.source])
            return busiest.measured(figure.field) if busiest else None
        if figure.source is Source.RUN:
            value: float | None = getattr(self, figure.field)
            return value
        return self.figures.measured(figure)

    def value(self, figure: Figure, statistic: str | None) -> float | None:
        """One number: a statistic of a distribution, or the only value that there is (`statistic` None).

        A percentile that falls on a failed utterance is infinite: that one is later than any bound.
        """
        if figure.is_distribution and statistic is not None and statistic not in OF_VALUES:
            return self.figures.with_failed(figure).statistic(statistic)
        measured = self.measured(figure)
        return measured.statistic(statistic or "mean") if isinstance(measured, Distribution) else measured

    def coverage_of(self, figure: Figure) -> float | None:
        """Share of the hold with samples that hold what a figure is made of, of the device that was sampled worst.

        It is 1 where the figure isn't made of samples.
        """
        kind = SAMPLED_DEVICES.get(figure.source)
        return _worst([figures.coverage_of(figure.field) for figures in self._devices(kind)]) if kind else 1.0

    @property
    def streams_per_gpu(self) -> float | None:
        """Callers for each GPU that worked in the hold; None where that can't be said."""
        gpus = self._devices("gpu")
        worked = {(f.device.host, f.device.gpu) for f in gpus if (f.busy.mean or 0.0) >= WORKED_PCT}
        is_known = worked and self.is_covered("gpu") and self.load is None
        return self.users / len(worked) if is_known else None

    @property
    def requests_per_s(self) -> float | None:
        """Completed requests that began in the hold, over its length; None if there were none."""
        n = self.figures.distributions["rtf"].n
        return n / self.hold_s if self.hold_s and n else None

    def _devices(self, kind: str) -> list[DeviceFigures]:
        return [figures for figures in self.devices if figures.device.kind == kind]


def _worst(shares: Sequence[float | None]) -> float | None:
    """The smallest share; None if there is none, or one is not known."""
    known = [share for share in shares if share is not None]
    return min(known) if known and len(known) == len(shares) else None


@dataclass(frozen=True, slots=True)
class Knee:
    """How many callers the server holds, where it stopped holding them, and how far that was tried.

    `holds`: the largest stage that passes with all smaller stages passing; None where the smallest does not.
    `breaks`: the smallest stage that does not pass; None where all do. `tried`: callers of the largest stage with a
    counted utterance; None without any. `ended_at`: callers of the stage in which the run was killed or ended early,
    or its rate of calls; None where it came to its end. `passes_above`: a stage above `breaks` passes.
    """

    holds: StageReport | None
    breaks: StageReport | None
    tried: int | None = None
    ended_at: int | str | None = None
    passes_above: bool = False
    tried_rate: str | None = None  # the same as `tried`, with --arrivals


@dataclass(frozen=True, slots=True)
class RunReport:
    """The report of a run. `run` is `run.json` as it was written; `notes` are things the reader should know."""

    run: Mapping[str, Any]
    stages: tuple[StageReport, ...]  # in the order in which they were run
    knee: Knee
    verdict: Verdict
    notes: tuple[str, ...]
    timeline: RunTimeline | None = None
    capacity: CapacityAnswer | None = field(default=None, compare=False)  # of a search
    recovery: Recovery | None = None  # from a spike
    drifts: tuple[Drift, ...] = ()  # of a soak

    @property
    def is_open_loop(self) -> bool:
        """Calls came at a rate, whatever the server did (--arrivals); otherwise callers stayed."""
        return any(stage.load for stage in self.stages)

    @property
    def kind(self) -> LoadKind:
        """The kind of load. Old runs don't name theirs: they are streams."""
        return KINDS[self.run.get("kind", STREAM.name)]

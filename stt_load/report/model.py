"""What a run came to, as one frozen value: all that the writers see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import SloResult, SloVerdict
from stt_load.metrics.stage import StageFigures
from stt_load.metrics.validity import Finding

SCHEMA_VERSION = 1
"""Of `summary.json`. It grows with every change that an older reader would misread."""


class Verdict(StrEnum):
    """Of a stage; of a run too, where it can be ABORTED as well."""

    PASS = "pass"
    FAIL = "fail"  # believable, and an SLO was missed
    INVALID = "invalid"  # not to be believed
    EMPTY = "empty"  # nothing was counted
    ABORTED = "aborted"  # SIGTERM or Ctrl-C; a run only


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """One GPU during one hold. Memory is what the whole GPU had in use, MiB; utilisation is percent."""

    host: str
    gpu: int
    sm_pct: Distribution
    fb_mib: Distribution


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage: figures, evidence and verdict. Wall-clock times are seconds since 1970."""

    figures: StageFigures
    verdict: Verdict
    findings: tuple[Finding, ...]
    slos: tuple[SloResult, ...]
    gpus: tuple[GpuFigures, ...]  # the busiest first
    hold_span: tuple[float, float] | None  # when the hold began and ended
    duty_cycle: float | None  # share of the hold in which the mean caller was sending audio
    workers: int | None
    users_reached: int | None
    generator_cpu_pct: float | None

    @property
    def users(self) -> int:
        return self.figures.users

    @property
    def hold_s(self) -> float | None:
        return self.hold_span[1] - self.hold_span[0] if self.hold_span else None

    @property
    def is_few(self) -> bool:
        """It passes on fewer samples than a percentile needs to be certain."""
        return self.verdict is Verdict.PASS and any(result.few for result in self.slos)

    @property
    def mark(self) -> str:
        """The verdict as tables print it: `pass*` where it rests on few samples."""
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

    @property
    def gpu(self) -> GpuFigures | None:
        """The busiest GPU: the one of the tables. All of them are in `summary.json`."""
        return self.gpus[0] if self.gpus else None


@dataclass(frozen=True, slots=True)
class Knee:
    """How many callers the server holds, and where it stopped holding them.

    `holds`: the largest stage that passes with all smaller stages passing; None where the smallest does not.
    `breaks`: the smallest stage that does not pass; None where all do.
    """

    holds: StageReport | None
    breaks: StageReport | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """The run. `run` is `run.json` as it was written; `notes` are things the reader should know."""

    run: Mapping[str, Any]
    stages: tuple[StageReport, ...]  # in the order in which they were run
    knee: Knee
    verdict: Verdict
    notes: tuple[str, ...]

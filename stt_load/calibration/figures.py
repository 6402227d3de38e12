"""The figures of one trial, and whether the generator kept its promises in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from stt_load.errors import Outcome, SttLoadError
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.validity import GENERATOR_CPU_LIMIT_PCT, PACING_LAG_P99_LIMIT_S

LATE_LIMIT = 0.01  # of frames, beyond PACING_LAG_P99_LIMIT_S: what a p99 within it means
FAILED_LIMIT = 0.01  # of utterances
DISTURBING_PCT = 25.0  # of a core, taken by what is not ours
_ALL_THERE = ("hold", "grace")  # phases of a stage
Row = Mapping[str, Any]
Sample = tuple[float, float, int]
"""Monotonic seconds, CPU seconds so far, resident bytes: of one process at one moment."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process in one span. `cpu_pct`: of one core."""

    cpu_s: float
    cpu_pct: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One run with so many callers. Figures are those of its hold."""

    callers: int
    reached: int | None  # callers there when the hold began; None: it never began
    hold_s: float
    utterances: int  # counted
    failed: int  # of them without a transcript
    frames: int  # of them
    frames_late: int
    lag_max_s: float | None
    generator: Usage
    frames_in_hold: int  # of all callers, for the cost of one
    sink_cpu_pct: float | None  # of one core; None where the sink is not ours
    others_cpu_pct: float  # of one core: everything else on this machine
    stolen_pct: float  # of all CPU time of this machine, given to others by its host
    troubles: Mapping[str, int] = field(default_factory=dict)  # how far the kernel's counters of trouble rose
    errors: Mapping[str, int] = field(default_factory=dict)  # what failed utterances said, and how often

    @property
    def late(self) -> float:
        """Share of frames handed over too late; 0 where none was sent."""
        return self.frames_late / self.frames if self.frames else 0.0

    @property
    def cpu_us_per_frame(self) -> float | None:
        return 1e6 * self.generator.cpu_s / self.frames_in_hold if self.frames_in_hold else None

    @property
    def failed_by(self) -> str | None:
        """Why it says nothing of the generator, in a few words; None where callers came and were answered."""
        if self.reached is None or self.reached < self.callers:
            return f"only {self.reached or 0:,} callers came"
        if not self.utterances:
            return "no utterance began"
        if self.failed > FAILED_LIMIT * self.utterances:
            most = max(self.errors, key=lambda text: self.errors[text], default="no transcript")
            return f"{self.failed:,} of {self.utterances:,} utterances failed: {most}"
        return None

    @property
    def broken_by(self) -> str | None:
        """What was not as it should be, in a few words; None where the trial held."""
        if self.failed_by:
            return self.failed_by
        if self.late > LATE_LIMIT:
            return f"{self.late:.1%} of frames more than {1_000 * PACING_LAG_P99_LIMIT_S:.0f} ms late"
        if self.generator.cpu_pct > GENERATOR_CPU_LIMIT_PCT:
            return f"the generator took {self.generator.cpu_pct:.0f} % of a core"
        return None


def hold_of(transitions: Sequence[Row]) -> tuple[Row, Row] | None:
    """The lines of stages.jsonl at which the hold of a run with one stage began and ended; None before that."""
    for first, then in pairwise(transitions):
        if first["phase"] == "hold":
            return first, then
    return None


def usage_between(samples: Sequence[Sample], start_s: float, end_s: float) -> Usage:
    """CPU is read off between samples; memory is the highest. SttLoadError where there are too few samples."""
    within = [sample for sample in samples if start_s <= sample[0] <= end_s]
    if len(within) < 2:
        raise SttLoadError("the hold was too short to be looked at: give a longer --hold")
    span_s = within[-1][0] - within[0][0]
    share = (within[-1][1] - within[0][1]) / span_s
    return Usage(share * (end_s - start_s), 100 * share, max(memory_bytes for _, _, memory_bytes in within))


def frames_between(utterances: Iterable[Row], frame_s: float, start_s: float, end_s: float) -> int:
    """How many frames were due in that span of the wall clock: frame k at `started_at + (k + 1) · frame_s`."""
    n = 0
    for row in utterances:
        first = _frames_until(start_s - row["started_at"], frame_s, row["frames"])
        n += _frames_until(end_s - row["started_at"], frame_s, row["frames"]) - first
    return n


def _frames_until(elapsed_s: float, frame_s: float, frames: int) -> int:
    return max(0, min(frames, int(elapsed_s / frame_s)))


def counted(utterances: Iterable[Row]) -> list[Row]:
    """Those that began in the hold."""
    return [row for row in utterances if row["phase"] == "hold"]


def is_measured(transitions: Sequence[Row], utterances: Iterable[Row]) -> bool:
    """Every utterance that counts has ended and is there: what the run does after that is no part of a trial."""
    settled = next((line for line in transitions if line["phase"] == "settle"), None)
    return settled is not None and len(counted(utterances)) >= settled["begun"]


def errors_of(utterances: Iterable[Row]) -> dict[str, int]:
    """What those without a transcript said, and how often."""
    failed = (row for row in utterances if row["outcome"] != Outcome.OK)
    return dict(Counter(str(row["error"] or row["outcome"]) for row in failed))


def clock_errors_s(utterances: Iterable[Row], truth: Iterable[Row]) -> Distribution:
    """Reported minus true `stream_end_latency_s` of utterances that all callers were there for. Matched by their text,
    which the sink made unique; true is both ends of it as the sink's process saw them."""
    true_s = {
        row["text"]: row["text_sent_s"] - row["last_frame_s"]
        for row in truth
        if None not in (row["text_sent_s"], row["last_frame_s"])  # cut off, or without audio
    }
    return Distribution.of(
        row["stream_end_latency_s"] - true_s[row["text"]]
        for row in utterances
        if row["phase"] in _ALL_THERE and row["outcome"] == Outcome.OK and row["text"] in true_s
    )

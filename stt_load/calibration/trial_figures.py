"""The figures of one trial, and whether the generator kept up in it."""

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
DISTURBING_PCT = 25.0  # of a core, used by other processes
_FULL_LOAD_PHASES = ("hold", "grace")
JsonRow = Mapping[str, Any]
"""One line of stages.jsonl, utterances.jsonl or the sink's log."""

UsageSample = tuple[float, float, int]
"""One process at one moment: monotonic seconds, CPU seconds so far, resident bytes."""


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """CPU and memory that one process used in a time span. `cpu_pct` is in percent of one core."""

    cpu_s: float
    cpu_pct: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """The figures of one run with `callers` callers, over its hold."""

    callers: int
    reached: int | None  # callers connected when the hold began; None: it never began
    hold_s: float
    utterances: int  # that began in the hold
    failed: int  # of them without a transcript
    frames: int  # of them
    frames_late: int
    lag_max_s: float | None
    generator: ProcessUsage  # the busiest process, where there are several
    frames_in_hold: int  # of all callers, for the cost of one
    sink_cpu_pct: float | None  # of one core; None where the sink is not ours
    others_cpu_pct: float  # of one core: everything else on this machine
    stolen_pct: float  # of all CPU time of this machine, given to others by its host
    troubles: Mapping[str, int] = field(default_factory=dict)  # how far the kernel's TCP_TROUBLE_COUNTERS rose
    errors: Mapping[str, int] = field(
        default_factory=dict
    )  # texts of the failed utterances' errors, and how often each
    processes: int = 1  # that played callers

    @property
    def late_ratio(self) -> float:
        """The share of frames that were sent too late, 0 to 1; 0 if none was sent."""
        return self.frames_late / self.frames if self.frames else 0.0

    @property
    def cpu_us_per_frame(self) -> float | None:
        """The generator's CPU time per frame, in microseconds; None if no frame was due in the hold."""
        return 1e6 * self.generator.cpu_s / self.frames_in_hold if self.frames_in_hold else None

    @property
    def failed_by(self) -> str | None:
        """Why the trial says nothing about the generator; None if callers connected and were answered."""
        if self.reached is None or self.reached < self.callers:
            return f"only {self.reached or 0:,} callers connected"
        if not self.utterances:
            return "no utterance began"
        if self.failed > FAILED_LIMIT * self.utterances:
            most = max(self.errors, key=lambda text: self.errors[text], default="no transcript")
            return f"{self.failed:,} of {self.utterances:,} utterances failed: {most}"
        return None

    @property
    def broken_by(self) -> str | None:
        """Why the trial failed, in a few words; None if it held."""
        if self.failed_by:
            return self.failed_by
        if self.late_ratio > LATE_LIMIT:
            return f"{self.late_ratio:.1%} of frames more than {1_000 * PACING_LAG_P99_LIMIT_S:.0f} ms late"
        if self.generator.cpu_pct > GENERATOR_CPU_LIMIT_PCT:
            return f"the generator used {self.generator.cpu_pct:.0f} % of a core"
        return None


def find_hold(transitions: Sequence[JsonRow]) -> tuple[JsonRow, JsonRow] | None:
    """The lines of stages.jsonl at which the hold of a run with one stage began and ended; None before it ended."""
    for first, then in pairwise(transitions):
        if first["phase"] == "hold":
            return first, then
    return None


def usage_between(samples: Sequence[UsageSample], start_s: float, end_s: float) -> ProcessUsage:
    """What was used between two moments: CPU extrapolated from the samples within, the highest memory.

    Raises SttLoadError if there are fewer than two samples.
    """
    within = [sample for sample in samples if start_s <= sample[0] <= end_s]
    if len(within) < 2:
        raise SttLoadError("the hold was too short to be measured: give a longer --hold")
    span_s = within[-1][0] - within[0][0]
    share = (within[-1][1] - within[0][1]) / span_s
    return ProcessUsage(share * (end_s - start_s), 100 * share, max(memory_bytes for _, _, memory_bytes in within))


def frames_between(utterances: Iterable[JsonRow], frame_s: float, start_s: float, end_s: float) -> int:
    """How many frames were due between two wall clock times; frame k is due at `started_at + (k + 1) · frame_s`."""
    n = 0
    for row in utterances:
        first = _frames_until(start_s - row["started_at"], frame_s, row["frames"])
        n += _frames_until(end_s - row["started_at"], frame_s, row["frames"]) - first
    return n


def _frames_until(elapsed_s: float, frame_s: float, frames: int) -> int:
    return max(0, min(frames, int(elapsed_s / frame_s)))


def counted_utterances(utterances: Iterable[JsonRow]) -> list[JsonRow]:
    """The utterances that began in the hold, which are those that count."""
    return [row for row in utterances if row["phase"] == "hold"]


def has_all_utterances(transitions: Sequence[JsonRow], utterances: Iterable[JsonRow]) -> bool:
    """True once every utterance that counts has ended and is in the file. The trial needs nothing after that."""
    settled = next((line for line in transitions if line["phase"] == "settle"), None)
    return settled is not None and len(counted_utterances(utterances)) >= settled["begun"]


def count_errors(utterances: Iterable[JsonRow]) -> dict[str, int]:
    """The error texts of utterances without a transcript, and how often each occurred."""
    failed = (row for row in utterances if row["outcome"] != Outcome.OK)
    return dict(Counter(str(row["error"] or row["outcome"]) for row in failed))


def clock_errors_s(utterances: Iterable[JsonRow], truth: Iterable[JsonRow]) -> Distribution:
    """Reported minus true `stream_end_latency_s`, of the utterances that began while all callers were connected.

    Utterances are matched by their text, which the sink makes unique. The true latency is measured by the sink's
    process, from the last frame to the text.
    """
    true_s = {
        row["text"]: row["text_sent_s"] - row["last_frame_s"]
        for row in truth
        if None not in (row["text_sent_s"], row["last_frame_s"])  # cut off, or without audio
    }
    return Distribution.of(
        row["stream_end_latency_s"] - true_s[row["text"]]
        for row in utterances
        if row["phase"] in _FULL_LOAD_PHASES and row["outcome"] == Outcome.OK and row["text"] in true_s
    )

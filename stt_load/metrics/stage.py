"""The figures of one stage: add records as they come, close once for the derived numbers.

Only counted utterances (started in the hold) make figures; any other record changes nothing. Partial sums
of several workers or files merge exactly: raw values are kept, and nothing is averaged before the end.

`docs/design.md`, "What the numbers mean", is the authority for every name here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from stt_load.errors import Outcome
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.wer import score
from stt_load.records import UtteranceRecord

# Latency metric -> whether only completed utterances have it. A refused caller still has a connect time.
LATENCIES: dict[str, bool] = {
    "eos_latency": True,
    "stream_end_latency": True,
    "settled_latency": True,
    "finalise_latency": True,
    "first_partial": True,
    "connect": False,
    "ready": False,
    "total": True,
    "first_text": True,
    "first_audio": True,
    "gap_max": True,
}


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Errors against a reference of `length` words or characters, over `utterances`."""

    errors: int = 0
    length: int = 0
    utterances: int = 0

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(self.errors + other.errors, self.length + other.length, self.utterances + other.utterances)

    @property
    def rate(self) -> float | None:
        """Errors over length; None where there is nothing to be wrong about."""
        return self.errors / self.length if self.length else None


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage in numbers: seconds, ratios (0 to 1) and counts. None: not measured or does not exist."""

    stage: int
    users: int
    n: int  # counted utterances, the interrupted included
    outcomes: Mapping[str, int]  # outcome -> utterances; only outcomes that happened
    error_rate: float | None  # neither ok nor interrupted, over all that were not interrupted
    latencies: Mapping[str, Distribution]  # keys of LATENCIES; seconds
    wer: float | None  # over completed utterances
    wer_all: float | None  # utterances without a transcript count as all deleted
    cer: float | None
    wer_delta: float | None  # against the first stage, over clips that both completed
    clip_errors: Mapping[str, ErrorCount]  # clip_id -> word errors of completed utterances
    pacing_lag_p99_s: float | None  # mean over utterances of their p99, weighted by frames
    pacing_lag_max_s: float | None
    frames: int  # sent
    frames_late: int  # of them handed over more than 10 ms after they were due
    audio_s: float  # sent, trailing silence included
    speech_s: float
    utterance_s_mean: float | None  # audio of the mean utterance
    foreign_text: int  # messages with another caller's words
    clips: int  # different clips spoken
    clips_reused: int  # utterances whose clip another caller was speaking at the same time
    kernel_stamped: int  # utterances whose arrival times are the kernel's
    rtf: Distribution  # total time of a request over the length of its audio
    underruns: int  # of streamed speech
    server_ms: Mapping[str, Distribution]  # what the server says of itself; milliseconds

    @property
    def ok(self) -> int:
        return self.outcomes.get(Outcome.OK, 0)

    @property
    def interrupted(self) -> int:
        return self.outcomes.get(Outcome.INTERRUPTED, 0)

    @property
    def errors(self) -> int:
        return self.n - self.ok - self.interrupted

    def measured(self, metric: str) -> Distribution | float | None:
        """The value that an SLO on `metric` (a key of `slo.METRICS`) is judged by."""
        if metric in self.latencies:
            return self.latencies[metric]
        value: Distribution | float | None = getattr(self, metric)
        return value

    def without(self, metric: str) -> int:
        """Failed utterances that have no value of a time only completed ones have: later than any bound."""
        return self.errors if metric == "rtf" or LATENCIES.get(metric, False) else 0

    @property
    def rtfx(self) -> Distribution:
        """How many times faster than real time."""
        return Distribution.of(1 / rtf for rtf in self.rtf.values if rtf)


@dataclass(slots=True)
class StageStats:
    """Sums of one stage in the making."""

    stage: int
    users: int
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: dict[str, list[float]] = field(default_factory=lambda: {metric: [] for metric in LATENCIES})
    words_all: ErrorCount = ErrorCount()
    characters: ErrorCount = ErrorCount()
    clip_errors: dict[str, ErrorCount] = field(default_factory=dict)
    lags_s: list[tuple[float, int]] = field(default_factory=list)  # (p99 of an utterance, its frames)
    lag_max_s: float | None = None
    frames: int = 0
    frames_late: int = 0
    audio_s: list[float] = field(default_factory=list)
    speech_s: list[float] = field(default_factory=list)
    foreign_text: int = 0
    clip_ids: set[str] = field(default_factory=set)
    clips_reused: int = 0
    kernel_stamped: int = 0
    rtf: list[float] = field(default_factory=list)
    underruns: int = 0
    server_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, record: UtteranceRecord) -> None:
        """Count one utterance; one that did not start in the hold changes nothing."""
        if not record.is_counted:
            return
        self.outcomes[str(record.outcome)] += 1
        self.audio_s.append(record.audio_s)
        self.speech_s.append(record.speech_s)
        self.foreign_text += record.foreign_text or 0
        self.clip_ids.add(record.clip_id)
        self.clips_reused += record.clip_reused
        self.kernel_stamped += record.stamp == "kernel"
        self.underruns += record.underruns or 0
        self._add_latencies(record)
        self._add_errors(record)
        self._add_lag(record)
        if record.is_ok and record.rtf is not None:
            self.rtf.append(record.rtf)
        for name, value in (record.server_ms or {}).items():
            self.server_ms.setdefault(name, []).append(value)

    def merge(self, other: Self) -> None:
        """Take in what another part of the same stage has counted."""
        self.outcomes.update(other.outcomes)
        for mine, theirs in ((self.latencies, other.latencies), (self.server_ms, other.server_ms)):
            for name, values in theirs.items():
                mine.setdefault(name, []).extend(values)
        for clip_id, count in other.clip_errors.items():
            self._add_clip_errors(clip_id, count)
        self.words_all += other.words_all
        self.characters += other.characters
        self.lags_s.extend(other.lags_s)
        self.lag_max_s = _largest(self.lag_max_s, other.lag_max_s)
        self.frames += other.frames
        self.frames_late += other.frames_late
        self.audio_s.extend(other.audio_s)
        self.speech_s.extend(other.speech_s)
        self.foreign_text += other.foreign_text
        self.clip_ids |= other.clip_ids
        self.clips_reused += other.clips_reused
        self.kernel_stamped += other.kernel_stamped
        self.rtf.extend(other.rtf)
        self.underruns += other.underruns

    def close(self, first: StageFigures | None = None) -> StageFigures:
        """The figures. `first`: the first stage of the run; None if this is it."""
        n = self.outcomes.total()
        judged = n - self.outcomes[Outcome.INTERRUPTED]
        errors = judged - self.outcomes[Outcome.OK]
        baseline = self.clip_errors if first is None else first.clip_errors
        return StageFigures(
            stage=self.stage,
            users=self.users,
            n=n,
            outcomes={outcome: count for outcome, count in sorted(self.outcomes.items()) if count},
            error_rate=errors / judged if judged else None,
            latencies={name: Distribution.of(values) for name, values in self.latencies.items()},
            wer=sum(self.clip_errors.values(), ErrorCount()).rate,
            wer_all=self.words_all.rate,
            cer=self.characters.rate,
            wer_delta=wer_delta(self.clip_errors, baseline),
            clip_errors=dict(self.clip_errors),
            pacing_lag_p99_s=_weighted_mean(self.lags_s),
            pacing_lag_max_s=self.lag_max_s,
            frames=self.frames,
            frames_late=self.frames_late,
            audio_s=math.fsum(self.audio_s),
            speech_s=math.fsum(self.speech_s),
            utterance_s_mean=math.fsum(self.audio_s) / n if n else None,
            foreign_text=self.foreign_text,
            clips=len(self.clip_ids),
            clips_reused=self.clips_reused,
            kernel_stamped=self.kernel_stamped,
            rtf=Distribution.of(self.rtf),
            underruns=self.underruns,
            server_ms={name: Distribution.of(values) for name, values in sorted(self.server_ms.items())},
        )

    def _add_latencies(self, record: UtteranceRecord) -> None:
        for metric, only_completed in LATENCIES.items():
            value: float | None = getattr(record, f"{metric}_s")
            if value is not None and (record.is_ok or not only_completed):
                self.latencies[metric].append(value)

    def _add_errors(self, record: UtteranceRecord) -> None:
        if record.outcome == Outcome.INTERRUPTED or not record.is_transcribed:
            return
        if not record.is_ok:
            length = record.reference_words
            if length is None:
                length = score(record.reference, "").reference_words
            self.words_all += ErrorCount(errors=length, length=length, utterances=1)
            return
        words = ErrorCount(
            errors=(record.substitutions or 0) + (record.deletions or 0) + (record.insertions or 0),
            length=record.reference_words or 0,
            utterances=1,
        )
        self.words_all += words
        self._add_clip_errors(record.clip_id, words)
        self.characters += ErrorCount(record.character_errors or 0, record.reference_characters or 0, 1)

    def _add_clip_errors(self, clip_id: str, count: ErrorCount) -> None:
        self.clip_errors[clip_id] = self.clip_errors.get(clip_id, ErrorCount()) + count

    def _add_lag(self, record: UtteranceRecord) -> None:
        if record.pacing_lag_p99_s is not None:
            self.lags_s.append((record.pacing_lag_p99_s, record.frames))
        self.frames += record.frames
        self.frames_late += record.frames_late
        self.lag_max_s = _largest(self.lag_max_s, record.pacing_lag_max_s)


def wer_delta(here: Mapping[str, ErrorCount], first: Mapping[str, ErrorCount]) -> float | None:
    """WER here minus WER on the first stage, over clips that both completed; None without such clips.

    Each clip weighs the same on both sides, however often either stage spoke it: a stage that happened to
    speak the hard clips more often is not worse for it.
    """
    common = [clip_id for clip_id in here if clip_id in first]
    mean_length = sum(here[clip_id].length / here[clip_id].utterances for clip_id in common)
    if not mean_length:
        return None
    extra = math.fsum(_mean_errors(here[clip_id]) - _mean_errors(first[clip_id]) for clip_id in common)
    return extra / mean_length


def duty_cycle(records: Iterable[UtteranceRecord], users: int, hold_start_s: float, hold_end_s: float) -> float | None:
    """The share of the hold in which the mean caller was sending audio, 0 to 1.

    `records`: every utterance of the stage, also those begun before the hold and still speaking in it.
    `hold_start_s`, `hold_end_s`: wall clock, as `started_at` is. None for a hold of no length or no users.
    """
    capacity_s = users * (hold_end_s - hold_start_s)
    if capacity_s <= 0:
        return None
    sent_s = math.fsum(
        max(0.0, min(record.started_at + record.audio_s, hold_end_s) - max(record.started_at, hold_start_s))
        for record in records
    )
    return min(1.0, sent_s / capacity_s)


def _mean_errors(count: ErrorCount) -> float:
    return count.errors / count.utterances


def _weighted_mean(pairs: list[tuple[float, int]]) -> float | None:
    frames = sum(weight for _, weight in pairs)
    return math.fsum(value * weight for value, weight in pairs) / frames if frames else None


def _largest(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)

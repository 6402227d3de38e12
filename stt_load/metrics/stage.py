"""The figures of one stage: add records as they come, close once for the derived numbers.

Only counted utterances (started in the hold) make figures; any other record changes nothing. Partial sums
of several workers or files merge exactly: raw values are kept, and nothing is averaged before the end.

`docs/design.md`, "What the numbers mean", is the authority for every name here.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, attrgetter
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


def _column() -> array[float]:
    return array("d")


@dataclass(slots=True)
class StageStats:
    """Sums of one stage in the making: a column for each figure, no record is kept."""

    stage: int
    users: int
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: dict[str, array[float]] = field(default_factory=lambda: {metric: _column() for metric in LATENCIES})
    # Errors, length, utterances: what becomes an ErrorCount when it is closed.
    words_missing: list[int] = field(default_factory=lambda: [0, 0])  # length and utterances without a transcript
    characters: list[int] = field(default_factory=lambda: [0, 0, 0])
    clip_errors: dict[str, list[int]] = field(default_factory=dict)
    lags_s: array[float] = field(default_factory=_column)  # p99 of an utterance times its frames
    lag_frames: int = 0
    lag_max_s: float | None = None
    frames: int = 0
    frames_late: int = 0
    audio_s: array[float] = field(default_factory=_column)
    speech_s: array[float] = field(default_factory=_column)
    foreign_text: int = 0
    clip_ids: set[str] = field(default_factory=set)
    clips_reused: int = 0
    kernel_stamped: int = 0
    rtf: array[float] = field(default_factory=_column)
    underruns: int = 0
    server_ms: dict[str, array[float]] = field(default_factory=dict)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Count utterances, best some thousand at once; those that did not start in the hold change nothing."""
        counted = [record for record in records if record.is_counted]
        done = [record for record in counted if record.outcome == Outcome.OK]
        self.outcomes.update([str(record.outcome) for record in counted])
        self.audio_s.extend([record.audio_s for record in counted])
        self.speech_s.extend([record.speech_s for record in counted])
        self.foreign_text += sum([record.foreign_text or 0 for record in counted])
        self.clip_ids.update([record.clip_id for record in counted])
        self.clips_reused += sum([record.clip_reused for record in counted])
        self.kernel_stamped += sum([record.stamp == "kernel" for record in counted])
        self.underruns += sum([record.underruns or 0 for record in counted])
        self.rtf.extend([rtf for record in done if (rtf := record.rtf) is not None])
        for metric, only_completed in LATENCIES.items():
            values = map(attrgetter(f"{metric}_s"), done if only_completed else counted)
            self.latencies[metric].extend([value for value in values if value is not None])
        for told in [record.server_ms for record in counted if record.server_ms]:
            for name, value in told.items():
                if name not in self.server_ms:
                    self.server_ms[name] = _column()
                self.server_ms[name].append(value)
        self._add_errors([record for record in counted if record.is_transcribed])
        self._add_lags(counted)

    def merge(self, other: Self) -> None:
        """Take in what another part of the same stage has counted."""
        self.outcomes.update(other.outcomes)
        for mine, theirs in ((self.latencies, other.latencies), (self.server_ms, other.server_ms)):
            for name, values in theirs.items():
                mine.setdefault(name, _column()).extend(values)
        for clip_id, sums in other.clip_errors.items():
            _add_up(self.clip_errors, clip_id, *sums)
        self.words_missing = [*map(add, self.words_missing, other.words_missing)]
        self.characters = [*map(add, self.characters, other.characters)]
        self.lags_s.extend(other.lags_s)
        self.lag_frames += other.lag_frames
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
        clip_errors = {clip_id: ErrorCount(*sums) for clip_id, sums in self.clip_errors.items()}
        words = sum(clip_errors.values(), ErrorCount())
        missing, without = self.words_missing
        return StageFigures(
            stage=self.stage,
            users=self.users,
            n=n,
            outcomes={outcome: count for outcome, count in sorted(self.outcomes.items()) if count},
            error_rate=errors / judged if judged else None,
            latencies={name: Distribution.of(values) for name, values in self.latencies.items()},
            wer=words.rate,
            wer_all=(words + ErrorCount(missing, missing, without)).rate,
            cer=ErrorCount(*self.characters).rate,
            wer_delta=wer_delta(clip_errors, clip_errors if first is None else first.clip_errors),
            clip_errors=clip_errors,
            pacing_lag_p99_s=math.fsum(self.lags_s) / self.lag_frames if self.lag_frames else None,
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

    def _add_errors(self, records: Iterable[UtteranceRecord]) -> None:
        for record in records:
            if record.outcome == Outcome.OK:
                errors = (record.substitutions or 0) + (record.deletions or 0) + (record.insertions or 0)
                _add_up(self.clip_errors, record.clip_id, errors, record.reference_words or 0)
                self.characters[0] += record.character_errors or 0
                self.characters[1] += record.reference_characters or 0
                self.characters[2] += 1
            elif record.outcome != Outcome.INTERRUPTED:
                length = record.reference_words
                self.words_missing[0] += score(record.reference, "").reference_words if length is None else length
                self.words_missing[1] += 1

    def _add_lags(self, records: Sequence[UtteranceRecord]) -> None:
        paced = [(lag_s, record.frames) for record in records if (lag_s := record.pacing_lag_p99_s) is not None]
        self.lags_s.extend([lag_s * frames for lag_s, frames in paced])
        self.lag_frames += sum([frames for _, frames in paced])
        self.frames += sum([record.frames for record in records])
        self.frames_late += sum([record.frames_late for record in records])
        largest_s = [lag_s for record in records if (lag_s := record.pacing_lag_max_s) is not None]
        self.lag_max_s = _largest(self.lag_max_s, max(largest_s, default=None))


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


def _add_up(counts: dict[str, list[int]], clip_id: str, errors: int, length: int, utterances: int = 1) -> None:
    sums = counts.get(clip_id)
    if sums is None:
        counts[clip_id] = [errors, length, utterances]
    else:
        sums[0] += errors
        sums[1] += length
        sums[2] += utterances


def _mean_errors(count: ErrorCount) -> float:
    return count.errors / count.utterances


def _largest(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)

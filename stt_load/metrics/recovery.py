"""How a server gets over a spike: how long after it the objectives are missed, and who still waits for words.

    callers    ────┐ many ┌─────────────────────────────
               few └──────┘ few again
                            │ left: the last audio of the spike has been sent
    windows                 │ ×××××××××××× ✓ ✓ ✓ ✓ ✓ ✓   each of 20 utterances, in the order in which speech ended
                            │←recovery_s→│

Utterances that failed count in a window as they do in a stage: as later than any bound, and as errors. A window proves
nothing at 95 %, as 20 utterances can't; that from one of them on all meet the objectives is what is asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from stt_load.errors import Outcome
from stt_load.metrics.failures import has_failed
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import Slo
from stt_load.metrics.utterance_value import utterance_value
from stt_load.records import UtteranceRecord

WINDOW = 20
"""Utterances of a window."""


@dataclass(frozen=True, slots=True)
class SpokenUtterance:
    """What is kept of one utterance. Moments are of the wall clock. `spoken`: its speech has ended. `ended`: its
    completing message has come, or it has failed. `values`: of each objective's figure, as `utterance_value` has them;
    None for a share."""

    spoken: float
    ended: float
    has_failed: bool
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came after a spike. Moments are of the wall clock.

    `left`: the last audio that began in the spike has been sent. `until`: the end of the hold after it. `objectives`:
    those that were looked at. `recovery_s`: from `left` until every window meets them, 0 where all do; None where they
    are still missed at `until`, or nobody can say. `n_after`: utterances between `left` and `until`. `in_spike`,
    `spike_errors`: utterances that began in the spike, and those of them that failed. `waiting`: utterances whose
    speech had ended and whose last word had not come, at `left`. `last_word_s`: from `left` until the last of these
    has come, or failed. `windows`: of each the moment at which its last speech ended, and whether it meets the
    objectives. `queue`: how many waited, from each of these moments on. `spoken`: of each utterance of the run the end
    of its speech, and the headline figure; None where it failed.
    """

    left: float
    until: float
    objectives: tuple[str, ...]
    recovery_s: float | None
    n_after: int
    in_spike: int
    spike_errors: int
    waiting: int
    last_word_s: float
    windows: tuple[tuple[float, bool], ...]
    queue: tuple[tuple[float, int], ...]
    spoken: tuple[tuple[float, float | None], ...]

    @property
    def watched_s(self) -> float:
        return self.until - self.left

    @property
    def is_too_short(self) -> bool:
        """Not even one window fits in."""
        return self.n_after < WINDOW

    @property
    def error_rate(self) -> float | None:
        return self.spike_errors / self.in_spike if self.in_spike else None


@dataclass(slots=True)
class SpikeWatch:
    """The utterances of a run with a spike, in the making. `spike`: the number of its stage. `slos`: the objectives of
    the run, of which those about a value of each utterance and about errors are looked at."""

    spike: int
    slos: Sequence[Slo]
    _spoken: list[SpokenUtterance] = field(default_factory=list)
    _left: float = 0.0
    _in_spike: int = 0
    _spike_errors: int = 0

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances of any stage and phase, counted or not: all of them are load."""
        judged = judged_in_windows(self.slos)
        for record in records:
            if record.outcome == Outcome.INTERRUPTED:
                continue
            failed = has_failed(record)
            if record.stage == self.spike:
                self._left = max(self._left, record.started_at + sent_s(record))
                self._in_spike += 1
                self._spike_errors += failed
            spoken = record.started_at + spoken_s(record)
            ended = spoken + (record.headline_s or 0.0) if not failed else record.started_at + (record.duration_s or 0)
            values = tuple(
                utterance_value(slo.figure, record) if slo.figure.is_distribution else None for slo in judged
            )
            self._spoken.append(SpokenUtterance(spoken, max(spoken, ended), failed, values))

    def close(self, until: float) -> Recovery | None:
        """`until`: the end of the hold after the spike. None where nobody spoke in the spike, or it came too late."""
        if not self._in_spike or until <= self._left:
            return None
        judged = [each for each in enumerate(judged_in_windows(self.slos)) if self._is_told_of(*each)]
        ordered = sorted(self._spoken, key=lambda each: each.spoken)
        after = [each for each in ordered if self._left <= each.spoken <= until]
        n_windows = max(0, len(after) - WINDOW + 1) if judged else 0
        windows = tuple(
            (after[at + WINDOW - 1].spoken, _is_met(after[at : at + WINDOW], judged)) for at in range(n_windows)
        )
        late = [each.ended for each in ordered if each.spoken <= self._left < each.ended]
        return Recovery(
            left=self._left,
            until=until,
            objectives=tuple(slo.text for _, slo in judged),
            recovery_s=self._recovery_s(after, windows),
            n_after=len(after),
            in_spike=self._in_spike,
            spike_errors=self._spike_errors,
            waiting=len(late),
            last_word_s=max(late, default=self._left) - self._left,
            windows=windows,
            queue=_queue(ordered),
            spoken=tuple((each.spoken, None if each.has_failed else each.ended - each.spoken) for each in ordered),
        )

    def _is_told_of(self, place: int, slo: Slo) -> bool:
        """Whether the figure exists with this server: one that it never tells of can't hold again."""
        return not slo.figure.is_distribution or any(
            (value := each.values[place]) is not None and math.isfinite(value) for each in self._spoken
        )

    def _recovery_s(self, after: Sequence[SpokenUtterance], windows: Sequence[tuple[float, bool]]) -> float | None:
        if not windows or not windows[-1][1]:
            return None
        first = max((at for at, (_, is_met) in enumerate(windows, 1) if not is_met), default=0)
        return after[first].spoken - self._left if first else 0.0


def judged_in_windows(slos: Sequence[Slo]) -> list[Slo]:
    """The objectives that a few utterances can be held against."""
    return [slo for slo in slos if slo.figure.is_distribution or slo.figure.name == "error_rate"]


def spoken_s(record: UtteranceRecord) -> float:
    """From the start of an utterance's stream to the end of its speech, by what was measured from both ends; where
    there is no such figure, as when it failed, to the end of its audio."""
    if record.stream_end_latency_s is not None and record.eos_latency_s is not None:
        return max(0.0, record.audio_s + record.stream_end_latency_s - record.eos_latency_s)
    return sent_s(record)


def sent_s(record: UtteranceRecord) -> float:
    """From the start of an utterance's stream to the end of its audio; 0 of a whole file, which is sent at once."""
    return record.audio_s if record.frames else 0.0


def _is_met(window: Sequence[SpokenUtterance], judged: Sequence[tuple[int, Slo]]) -> bool:
    failed = sum(each.has_failed for each in window)
    for place, slo in judged:
        if not slo.figure.is_distribution:
            value: float | None = failed / len(window)
        else:
            known = Distribution.of(value for each in window if (value := each.values[place]) is not None)
            value = known.statistic(slo.statistic or "")
        if value is None or not slo.is_met_by(value):
            return False
    return True


def _queue(ordered: Sequence[SpokenUtterance]) -> tuple[tuple[float, int], ...]:
    """How many wait for their last word, at every moment at which that changes."""
    spoken, ended = [each.spoken for each in ordered], sorted(each.ended for each in ordered)
    moments = sorted({*spoken, *ended})
    return tuple((at, bisect_right(spoken, at) - bisect_right(ended, at)) for at in moments)

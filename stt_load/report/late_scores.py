"""Scores the utterances that were written without scores, because they came faster than the master could score them.

Foreign text depends on which clips were in flight. During the run the workers report that; afterwards it follows from
the utterances themselves, which have their start and their length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from stt_load.audio.clip import ClipWord
from stt_load.metrics.foreign import OWN_LAST, Origin, fits_own, origin_of
from stt_load.metrics.normaliser import Normaliser
from stt_load.metrics.scorer import CACHE_SIZE, Scorer
from stt_load.records import CallerKey, UtteranceRecord

_MOST_BEFORE = 100  # own utterances that are looked at: nobody speaks more in the longest that one takes


@dataclass(frozen=True, slots=True)
class ForeignCandidate:
    """A message that doesn't fit its caller's own clip, so that it may be another caller's, or an earlier one's."""

    stage: int
    caller: CallerKey
    clip_id: str
    reference: str
    text: str
    started_at: float  # its utterance, wall clock
    ended_at: float


class LateScores:
    """The late scores of one run: `fill` every batch of utterances in turn, then ask what was `found`."""

    def __init__(
        self,
        normaliser: Normaliser,
        utterance_limit_s: float,
        words: Mapping[str, Sequence[ClipWord]] | None = None,
    ) -> None:
        """`utterance_limit_s`: the longest that an utterance takes, so that older words can't arrive any more.
        `words`: clip id → when its words sound; None where nobody knows."""
        self._normaliser = normaliser
        self._scorer = Scorer({}, normaliser, words)
        self._limit_s = utterance_limit_s
        self._fits_own = lru_cache(CACHE_SIZE)(fits_own)
        self._candidates: list[ForeignCandidate] = []

    def fill(self, records: Iterable[UtteranceRecord]) -> None:
        """Scores in place what has no scores yet."""
        for record in records:
            if record.screen is not None and record.screen.words_taken_back is None:
                self._scorer.fill_screen(record)
            if record.reference_words is None and record.is_transcribed:
                self._scorer.fill_scores(record)
                if record.foreign_text is None and record.is_counted:
                    self._candidates += self._candidates_of(record)

    def found(self, utterances: Iterable[Sequence[UtteranceRecord]]) -> Counter[tuple[int, Origin]]:
        """Stage and origin → messages with another caller's words, or words of an earlier utterance. `utterances`: all
        of the run once more, read if needed."""
        if not self._candidates:
            return Counter()
        spoken = _SpokenClips(utterances, self._limit_s, {candidate.caller for candidate in self._candidates})
        scorer = Scorer(spoken.references, self._normaliser)
        found: Counter[tuple[int, Origin]] = Counter()
        for candidate in self._candidates:
            fitted = scorer.clips_fitted(candidate.clip_id, candidate.reference, candidate.text)
            origin = origin_of(fitted, _ClipsAround(candidate, spoken)) if fitted else None
            if origin is not None:
                found[candidate.stage, origin] += 1
        return found

    def _candidates_of(self, record: UtteranceRecord) -> Iterable[ForeignCandidate]:
        ended_at = record.started_at + (record.duration_s or 0.0)
        for _, text in record.messages:
            if not self._fits_own(text, record.reference, self._normaliser):
                yield ForeignCandidate(
                    record.stage, record.caller, record.clip_id, record.reference, text, record.started_at, ended_at
                )


class _SpokenClips:
    """When each clip was spoken, and by whom: the starts of its utterances, and the latest end of all that began until
    then, with the latest end of those of another caller. What `callers` spoke is kept one by one."""

    def __init__(
        self, utterances: Iterable[Sequence[UtteranceRecord]], limit_s: float, callers: Container[CallerKey]
    ) -> None:
        self.references: dict[str, str] = {}
        self._limit_s = limit_s
        self._spoken_by: dict[CallerKey, list[tuple[float, float, str]]] = {}
        spans: dict[str, list[tuple[float, float, CallerKey]]] = {}
        for record in (record for records in utterances for record in records):
            self.references[record.clip_id] = record.reference
            caller, ended = record.caller, record.started_at + (record.duration_s or 0.0)
            spans.setdefault(record.clip_id, []).append((record.started_at, ended, caller))
            if caller in callers:
                self._spoken_by.setdefault(caller, []).append((record.started_at, ended, record.clip_id))
        self._began: dict[str, list[float]] = {}
        self._ended: dict[str, list[_LatestEnds]] = {}
        for clip_id, mine in spans.items():
            mine.sort()
            self._began[clip_id] = [began for began, _, _ in mine]
            ends = ([(ended, caller)] for _, ended, caller in mine)
            self._ended[clip_id] = list(accumulate(ends, _latest))
        for own in self._spoken_by.values():
            own.sort()

    def was_in_flight(self, clip_id: str, moment: float, besides: CallerKey) -> bool:
        """Another caller spoke the clip at that moment, or less than the longest utterance before it."""
        n = bisect_right(self._began[clip_id], moment)
        return n > 0 and any(
            caller != besides and ended >= moment - self._limit_s for ended, caller in self._ended[clip_id][n - 1]
        )

    def before(self, caller: CallerKey, moment: float) -> list[tuple[float, float, str]]:
        """Start, end and clip of what the caller spoke before, and not too long ago, oldest first."""
        own = self._spoken_by[caller]
        n = bisect_left(own, (moment,))
        return [spoken for spoken in own[max(0, n - _MOST_BEFORE) : n] if spoken[1] >= moment - self._limit_s]


_LatestEnds = list[tuple[float, CallerKey]]


def _latest(until_now: _LatestEnds, newest: _LatestEnds) -> _LatestEnds:
    """The latest end, and the latest of another caller."""
    ends = sorted((*until_now, *newest), reverse=True)
    return [ends[0], *[end for end in ends[1:] if end[1] != ends[0][1]][:1]]


@dataclass(frozen=True, slots=True)
class _ClipsAround:
    """What was spoken around the utterance of a candidate: a `metrics.foreign.ClipsAround`."""

    candidate: ForeignCandidate
    spoken: _SpokenClips

    def was_just_spoken(self, clip_id: str) -> bool:
        return any(spoken == clip_id for _, _, spoken in self._before[-OWN_LAST:])

    def is_of_others(self, clip_id: str) -> bool:
        return self.spoken.was_in_flight(clip_id, self.candidate.ended_at, self.candidate.caller)

    def was_own(self, clip_id: str) -> bool:
        return any(spoken == clip_id for _, _, spoken in self._before)

    @property
    def _before(self) -> list[tuple[float, float, str]]:
        return self.spoken.before(self.candidate.caller, self.candidate.started_at)

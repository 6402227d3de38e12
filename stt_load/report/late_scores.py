"""Scores the utterances that were written without scores, because they came faster than the master could score them.

Foreign text depends on which clips were in flight. During the run the workers report that; afterwards it follows from
the utterances themselves, which have their start and their length.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from stt_load.metrics.foreign import fits_own
from stt_load.metrics.normaliser import Normaliser
from stt_load.metrics.scorer import CACHE_SIZE, Scorer
from stt_load.records import UtteranceRecord


@dataclass(frozen=True, slots=True)
class ForeignCandidate:
    """A message that doesn't fit its caller's own clip, so that it may be another caller's."""

    stage: int
    clip_id: str
    reference: str
    text: str
    ended_at: float  # when its utterance ended, wall clock


class LateScores:
    """The late scores of one run: `fill` every batch of utterances in turn, then ask for their `foreign_text`."""

    def __init__(self, normaliser: Normaliser, utterance_limit_s: float) -> None:
        """`utterance_limit_s`: the longest that an utterance takes, so that older words can't arrive any more."""
        self._normaliser = normaliser
        self._scorer = Scorer({}, normaliser)
        self._limit_s = utterance_limit_s
        self._fits_own = lru_cache(CACHE_SIZE)(fits_own)
        self._candidates: list[ForeignCandidate] = []

    def fill(self, records: Iterable[UtteranceRecord]) -> None:
        """Scores in place what has no scores yet."""
        for record in records:
            if record.reference_words is None and record.is_transcribed:
                self._scorer.fill_scores(record)
                if record.foreign_text is None and record.is_counted:
                    self._candidates += self._candidates_of(record)

    def foreign_text(self, utterances: Iterable[Sequence[UtteranceRecord]]) -> Counter[int]:
        """Stage → messages with another caller's words. `utterances`: all of the run once more, read if needed."""
        if not self._candidates:
            return Counter()
        spoken = _SpokenClips(utterances, self._limit_s)
        scorer = Scorer(spoken.references, self._normaliser)
        return Counter(
            candidate.stage
            for candidate in self._candidates
            if any(
                spoken.was_in_flight(clip_id, candidate.ended_at)
                for clip_id in scorer.clips_fitted(candidate.clip_id, candidate.reference, candidate.text)
            )
        )

    def _candidates_of(self, record: UtteranceRecord) -> Iterable[ForeignCandidate]:
        ended_at = record.started_at + (record.duration_s or 0.0)
        for _, text in record.messages:
            if not self._fits_own(text, record.reference, self._normaliser):
                yield ForeignCandidate(record.stage, record.clip_id, record.reference, text, ended_at)


class _SpokenClips:
    """When each clip was spoken: the starts of its utterances, and the latest end of all that began until then."""

    def __init__(self, utterances: Iterable[Sequence[UtteranceRecord]], limit_s: float) -> None:
        self.references: dict[str, str] = {}
        self._limit_s = limit_s
        spans: dict[str, list[tuple[float, float]]] = {}
        for record in (record for records in utterances for record in records):
            self.references[record.clip_id] = record.reference
            span = (record.started_at, record.started_at + (record.duration_s or 0.0))
            spans.setdefault(record.clip_id, []).append(span)
        self._began: dict[str, list[float]] = {}
        self._ended: dict[str, list[float]] = {}
        for clip_id, mine in spans.items():
            mine.sort()
            self._began[clip_id] = [began for began, _ in mine]
            self._ended[clip_id] = list(accumulate((ended for _, ended in mine), max))

    def was_in_flight(self, clip_id: str, moment: float) -> bool:
        """A caller spoke the clip at that moment, or less than the longest utterance before it."""
        n = bisect_right(self._began[clip_id], moment)
        return n > 0 and self._ended[clip_id][n - 1] >= moment - self._limit_s

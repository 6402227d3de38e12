"""Rows that were written unscored, because they came faster than they could be scored: they are scored now.

Whose words they may be: at the master's door a row is held against the clips that callers spoke at the time. Afterwards
the same is known from the rows themselves, which say when each of them began and how long it took.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from stt_load.metrics.foreign import fits_own
from stt_load.metrics.normaliser import Normaliser
from stt_load.metrics.scorer import Memory, Scorer
from stt_load.records import UtteranceRecord


@dataclass(frozen=True, slots=True)
class ForeignCandidate:
    """A message that doesn't fit its caller's own clip."""

    stage: int
    clip_id: str
    reference: str
    text: str
    ended_at: float  # its utterance, wall clock


class LateScores:
    """For one run: give it every batch of rows in turn, then ask for the messages that were somebody else's."""

    def __init__(self, normaliser: Normaliser, utterance_limit_s: float) -> None:
        """`utterance_limit_s`: no utterance lasts longer, so words spoken before that can't come any more."""
        self._scorer = Scorer({}, normaliser)
        self._limit_s = utterance_limit_s
        self._own: Memory[tuple[str, str], bool] = Memory()
        self._suspects: list[ForeignCandidate] = []

    def fill(self, records: Iterable[UtteranceRecord]) -> None:
        """Score those that are not, in place."""
        for record in records:
            if record.reference_words is None and record.is_transcribed:
                self._scorer.fill_scores(record)
                if record.foreign_text is None and record.is_counted:
                    self._suspects += self._strange(record)

    def foreign(self, utterances: Iterable[Sequence[UtteranceRecord]]) -> Counter[int]:
        """Stage → messages that are another caller's words. `utterances`: all of the run once more; nobody looks at
        them unless there is a suspect."""
        if not self._suspects:
            return Counter()
        floor = _Floor(utterances, self._limit_s)
        scorer = Scorer(floor.references)
        return Counter(
            suspect.stage
            for suspect in self._suspects
            if any(
                floor.was_spoken(clip_id, suspect.ended_at)
                for clip_id in scorer.clips_fitted(suspect.clip_id, suspect.reference, suspect.text)
            )
        )

    def _strange(self, record: UtteranceRecord) -> Iterable[ForeignCandidate]:
        ended_at = record.started_at + (record.duration_s or 0.0)
        for _, text in record.messages:
            is_own = self._own.get((record.reference, text))
            if is_own is None:
                is_own = self._own.keep((record.reference, text), fits_own(text, record.reference))
            if not is_own:
                yield ForeignCandidate(record.stage, record.clip_id, record.reference, text, ended_at)


class _Floor:
    """Who spoke what, and when: by clip, when its utterances began, and the latest end of all that began until then."""

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

    def was_spoken(self, clip_id: str, moment: float) -> bool:
        """Somebody spoke it then, or not too long before."""
        n = bisect_right(self._began[clip_id], moment)
        return n > 0 and self._ended[clip_id][n - 1] >= moment - self._limit_s

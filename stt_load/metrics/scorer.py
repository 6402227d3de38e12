"""Scores of one record after another. A load test hears the same few sentences again and again, so scores are cached.

A new text of fifteen words costs about 0.03 ms, most of it in the normaliser; one that was heard before costs a
microsecond. `fill_cached` scores only what costs next to nothing, so that somebody with little time can put off the
rest. What was on the screen (`fill_screen`) comes at other moments each time: but for what its first texts are, it is
never cached, 0.03 ms and more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from stt_load.audio.clip import ClipWord
from stt_load.metrics.foreign import ClipsAround, Origin, clips_fitted, origin_of
from stt_load.metrics.normaliser import ENGLISH, Normaliser
from stt_load.metrics.screen_scores import SpokenWords, end_of_text, errors_of_beginning, first_text, score_screen
from stt_load.metrics.text_places import TextPlaces
from stt_load.metrics.turns import TranscriptMatch, TurnJudge, match
from stt_load.metrics.wer import Scores, score
from stt_load.records import UtteranceRecord

CACHE_SIZE = 32_768
"""How many texts, and how many messages, are kept: with their words some 40 MB at most."""


class _NotCached(Exception):
    """A score would have to be computed, and `Scorer.fill_cached` was asked not to."""


class Scorer:
    """Scores records in place. `references`: clip id → reference text, for every clip that a caller may speak.
    `words`: clip id → when its words sound, of those where it is known; None where no clips are at hand."""

    def __init__(
        self,
        references: Mapping[str, str],
        normaliser: Normaliser = ENGLISH,
        words: Mapping[str, Sequence[ClipWord]] | None = None,
    ) -> None:
        # Normalised now, and not in the middle of a load.
        self._spoken = {clip_id: normaliser.words(text) for clip_id, text in references.items()}
        self._normaliser = normaliser
        self._timed = words
        self._spoken_words: dict[str, SpokenWords] = {}
        self._may_compute = True
        # functools can't be asked what it holds. What it lacks it asks these for, and those of a transcript may refuse.
        self._scores = lru_cache(CACHE_SIZE)(self._compute_scores)
        self._fits = lru_cache(CACHE_SIZE)(self._compute_fits)
        self._matches = lru_cache(CACHE_SIZE)(self._compute_match)
        self._beginnings = lru_cache(CACHE_SIZE)(self._compute_beginning)
        self._text_ends = lru_cache(CACHE_SIZE)(self._compute_text_end)
        self._turns = TurnJudge(normaliser, self._matches, words or {})

    def fill(self, record: UtteranceRecord, around: ClipsAround) -> None:
        """Fills in the scores, `foreign_text` and `late_text`. `around`: whose words could have reached its caller."""
        scores = self._scores(record.reference, record.text) if record.is_transcribed else None
        fitted = [self.clips_fitted(record.clip_id, record.reference, text) for _, text in record.messages]
        origins = [origin_of(clip_ids, around) for clip_ids in fitted if clip_ids]
        self._turns.fill(record)
        if scores is not None:
            scores.fill_into(record)
        record.foreign_text, record.late_text = origins.count(Origin.OTHERS), origins.count(Origin.OWN)

    def fill_cached(self, record: UtteranceRecord, around: ClipsAround) -> bool:
        """Does the same if every text of the record was heard before. False: one is new, and nothing was changed."""
        self._may_compute = False
        try:
            self.fill(record, around)
        except _NotCached:
            return False
        finally:
            self._may_compute = True
        return True

    def fill_screen(self, record: UtteranceRecord) -> None:
        """Fills in what is scored of the text on the screen, where there was any."""
        screen = record.screen
        if screen is None or not record.is_transcribed:
            return
        score_screen(screen, self._words_of(record.clip_id), self._normaliser.is_by_character)
        if (first := first_text(screen)) is not None:
            screen.first_partial_errors, screen.first_partial_words = self._beginnings(record.reference, first[1])
            screen.first_partial_age_s = self._age_of(record.clip_id, *first)
        final = next(((at_s, text) for at_s, text in record.messages if text), None)
        if final is not None:
            screen.first_final_errors, screen.first_final_words = self._beginnings(record.reference, final[1])
            screen.first_final_age_s = self._age_of(record.clip_id, *final)

    def _compute_beginning(self, reference: str, text: str) -> tuple[int, int]:
        return errors_of_beginning(*self._normaliser.paired(reference, text))

    def _age_of(self, clip_id: str, at_s: float, text: str) -> float | None:
        """How long ago the last word that a text has of its clip had ended when it arrived; None where none is
        known."""
        end_s = self._text_ends(clip_id, text)
        return None if end_s is None else round(at_s - end_s, 3)

    def _words_of(self, clip_id: str) -> SpokenWords | None:
        if self._timed is None:
            return None
        if clip_id not in self._spoken_words:
            timed, normaliser = self._timed.get(clip_id, ()), self._normaliser
            n_said = TextPlaces(timed, normaliser).n_said if timed else None
            self._spoken_words[clip_id] = SpokenWords.of(timed, normaliser.is_by_character, n_said)
        return self._spoken_words[clip_id]

    def fill_scores(self, record: UtteranceRecord) -> None:
        """Fills in the scores, and leaves `foreign_text` and `late_text` alone."""
        if record.is_transcribed:
            self._scores(record.reference, record.text).fill_into(record)
            self._turns.fill(record)

    def clips_fitted(self, clip_id: str, reference: str, message: str) -> frozenset[str]:
        """The other clips whose words the message has, if it fits them better than its own clip `clip_id`."""
        return self._fits(clip_id, reference, message)

    def _compute_scores(self, reference: str, text: str) -> Scores:
        if not self._may_compute:
            raise _NotCached
        return score(reference, text, self._normaliser)

    def _compute_text_end(self, clip_id: str, text: str) -> float | None:
        return end_of_text(text, self._words_of(clip_id))

    def _compute_match(self, reference: str, text: str) -> TranscriptMatch:
        if not self._may_compute:
            raise _NotCached
        return match(reference, text, self._normaliser)

    def _compute_fits(self, clip_id: str, reference: str, message: str) -> frozenset[str]:
        if not self._may_compute:
            raise _NotCached
        return clips_fitted(message, reference, self._spoken, self._normaliser)

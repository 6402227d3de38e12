"""Word and character errors of one transcript, as counts: ratios are taken from sums, never averaged.

Both texts go through one named normaliser (`normaliser.py`: case, punctuation, spelling, numbers, width), so that a
server is not charged for its typography. The normaliser's title rides in every record and report: figures under
different ones must not be compared. Under `chinese` a word is a character, so that WER is CER.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import jiwer

from stt_load.metrics.normaliser import ENGLISH, Normaliser
from stt_load.records import UtteranceRecord


@dataclass(frozen=True, slots=True)
class Scores:
    """Error counts of one transcript. Field names are those of the record that takes them.

    `wer` and `cer` are (S + D + I) / N, and None where the normalised reference is empty.
    """

    normaliser: str
    wer: float | None
    cer: float | None
    substitutions: int
    deletions: int
    insertions: int
    reference_words: int
    character_errors: int
    reference_characters: int

    @property
    def word_errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def transcript_words(self) -> int:
        return self.reference_words - self.deletions + self.insertions


def normalised_words(text: str) -> tuple[str, ...]:
    """Under the English normaliser."""
    return ENGLISH.words(text)


def score(reference: str, text: str, normaliser: Normaliser = ENGLISH) -> Scores:
    """Count what `text` got wrong of `reference`. An empty text is all deletions."""
    words = _compared(reference, text, normaliser)
    wanted = normaliser.characters(reference)
    characters = jiwer.process_characters(wanted, normaliser.characters(text))
    n_words = len(normaliser.words(reference))
    word_errors = words.substitutions + words.deletions + words.insertions
    character_errors = characters.substitutions + characters.deletions + characters.insertions
    return Scores(
        normaliser=normaliser.title,
        wer=_ratio(word_errors, n_words),
        cer=_ratio(character_errors, len(wanted)),
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        reference_words=n_words,
        character_errors=character_errors,
        reference_characters=len(wanted),
    )


def scored(record: UtteranceRecord, normaliser: Normaliser = ENGLISH) -> UtteranceRecord:
    """The record with its scores filled in, where there is something to score. Its `foreign_text` is left alone."""
    if not record.is_transcribed:
        return record
    return replace(record, **asdict(score(record.reference, record.text, normaliser)))


def align(reference: str, text: str, normaliser: Normaliser) -> Iterator[tuple[str | None, str | None]]:
    """Word against word, as `score` counted them: a deletion has no second, an insertion no first."""
    wanted, heard = normaliser.words(reference), normaliser.words(text)
    for chunk in _compared(reference, text, normaliser).alignments[0]:
        left = wanted[chunk.ref_start_idx : chunk.ref_end_idx] or (None,) * (chunk.hyp_end_idx - chunk.hyp_start_idx)
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx] or (None,) * len(left)
        yield from zip(left, right, strict=True)


def _compared(reference: str, text: str, normaliser: Normaliser) -> jiwer.WordOutput:
    return jiwer.process_words(" ".join(normaliser.words(reference)), " ".join(normaliser.words(text)))


def _ratio(errors: int, n: int) -> float | None:
    return errors / n if n else None

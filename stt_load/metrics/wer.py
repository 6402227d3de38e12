"""Word and character errors of one transcript, as counts: ratios are taken from sums, never averaged.

Both texts go through one named normaliser (`normaliser.py`: case, punctuation, spelling, numbers, width), so that a
server is not charged for its typography. The normaliser's title rides in every record and report: figures under
different ones must not be compared. Under `chinese` a word is a character, so that WER is CER.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import jiwer
from rapidfuzz.distance import Levenshtein

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

    def fill_into(self, record: UtteranceRecord) -> None:
        """Fills the record in. Words that were told to a caller who never speaks are no errors of a transcript."""
        if record.is_silent:
            record.words_from_nothing = self.insertions
            return
        record.normaliser = self.normaliser
        record.wer = self.wer
        record.cer = self.cer
        record.substitutions = self.substitutions
        record.deletions = self.deletions
        record.insertions = self.insertions
        record.reference_words = self.reference_words
        record.character_errors = self.character_errors
        record.reference_characters = self.reference_characters

    @property
    def word_errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def transcript_words(self) -> int:
        return self.reference_words - self.deletions + self.insertions


def score(reference: str, text: str, normaliser: Normaliser = ENGLISH) -> Scores:
    """Counts the errors of `text` against `reference`. An empty text is all deletions."""
    wanted, heard = normaliser.paired(reference, text)
    characters = normaliser.characters(wanted)
    # As jiwer counts them, which `align` shows: of all shortest ways the one that rapidfuzz takes.
    edits = [] if wanted == heard else [edit.tag for edit in Levenshtein.editops(wanted, heard)]
    character_errors = Levenshtein.distance(characters, normaliser.characters(heard)) if edits else 0
    return Scores(
        normaliser=normaliser.title,
        wer=_ratio(len(edits), len(wanted)),
        cer=_ratio(character_errors, len(characters)),
        substitutions=edits.count("replace"),
        deletions=edits.count("delete"),
        insertions=edits.count("insert"),
        reference_words=len(wanted),
        character_errors=character_errors,
        reference_characters=len(characters),
    )


def scored(record: UtteranceRecord, normaliser: Normaliser = ENGLISH) -> UtteranceRecord:
    """A copy of the record with its scores filled in, if it has a transcript. `foreign_text` is left alone."""
    record = copy(record)
    if record.is_transcribed:
        score(record.reference, record.text, normaliser).fill_into(record)
    return record


def align(reference: str, text: str, normaliser: Normaliser) -> Iterator[tuple[str | None, str | None]]:
    """Pairs of a reference and a transcript word, as `score` counts them; None where the other has no match."""
    wanted, heard = normaliser.paired(reference, text)
    for chunk in jiwer.process_words(" ".join(wanted), " ".join(heard)).alignments[0]:
        left = wanted[chunk.ref_start_idx : chunk.ref_end_idx] or (None,) * (chunk.hyp_end_idx - chunk.hyp_start_idx)
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx] or (None,) * len(left)
        yield from zip(left, right, strict=True)


def _ratio(errors: int, n: int) -> float | None:
    return errors / n if n else None

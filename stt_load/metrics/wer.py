"""Word and character errors of one transcript, as counts: ratios are taken from sums, never averaged.

Both texts go through one named normaliser (case, punctuation, spelling and numbers: "forty-five dollars"
is "$45"), so that a server is not charged for its typography. The normaliser's name and version ride in
every record and report: figures under different ones must not be compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import version

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from stt_load.records import UtteranceRecord

NORMALISER = f"whisper-normalizer {version('whisper-normalizer')} EnglishTextNormalizer, lone symbols dropped"


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


_english = EnglishTextNormalizer()


@lru_cache(maxsize=16_384)
def normalise(text: str) -> str:
    """Half a millisecond a text, so remembered: a load test hears the same few sentences over and over."""
    # It leaves "well ..." as "well .": a full stop is no word that somebody said.
    return " ".join(word for word in str(_english(text)).split() if any(map(str.isalnum, word)))


@lru_cache(maxsize=16_384)
def normalised_words(text: str) -> tuple[str, ...]:
    return tuple(normalise(text).split())


def score(reference: str, text: str) -> Scores:
    """Count what `text` got wrong of `reference`. An empty text is all deletions."""
    wanted, heard = normalise(reference), normalise(text)
    words = jiwer.process_words(wanted, heard)
    characters = jiwer.process_characters(wanted, heard)
    n_words = len(normalised_words(reference))
    n_characters = len(wanted)
    word_errors = words.substitutions + words.deletions + words.insertions
    character_errors = characters.substitutions + characters.deletions + characters.insertions
    return Scores(
        normaliser=NORMALISER,
        wer=_ratio(word_errors, n_words),
        cer=_ratio(character_errors, n_characters),
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        reference_words=n_words,
        character_errors=character_errors,
        reference_characters=n_characters,
    )


def scored(record: UtteranceRecord) -> UtteranceRecord:
    """The record with its scores filled in. Its `foreign_text` is left alone."""
    return replace(record, **asdict(score(record.reference, record.text)))


def _ratio(errors: int, n: int) -> float | None:
    return errors / n if n else None

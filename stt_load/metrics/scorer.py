"""Scores of record after record, remembered: a load test hears the same few sentences over and over.

What is new costs about 0.15 ms a text of twelve words, nearly all of it the normaliser; what was heard before costs a
microsecond. Whether it was is `knows`, so that a door with little time can put off what is new.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping
from typing import Generic, TypeVar

from stt_load.metrics.foreign import clips_fitted
from stt_load.metrics.normaliser import ENGLISH, Normaliser
from stt_load.metrics.wer import Scores, normalised_words, score
from stt_load.records import UtteranceRecord

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

REMEMBERED = 16_384
"""How many texts, and how many messages, at least: with their words some 40 MB at most."""


class Memory(Generic[Key, Value]):
    """The last `size` values that were asked for, and up to as many older ones."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        value = self._young.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.keep(key, value)  # what is asked for stays young
        return value

    def keep(self, key: Key, value: Value) -> Value:
        if len(self._young) >= self._size:
            self._young, self._old = {}, self._young
        self._young[key] = value
        return value


class Scorer:
    """`references`: clip id → reference text, of every clip that a caller may speak."""

    def __init__(self, references: Mapping[str, str], normaliser: Normaliser = ENGLISH) -> None:
        # At once, and not in the middle of a load: 0.1 ms each.
        self._spoken = {clip_id: normalised_words(text) for clip_id, text in references.items()}
        self._normaliser = normaliser
        self._scores: Memory[tuple[str, str], Scores] = Memory()
        self._fits: Memory[tuple[str, str], frozenset[str]] = Memory()

    def knows(self, record: UtteranceRecord) -> bool:
        """Nothing of it is new, so `fill` takes no time."""
        return not record.is_transcribed or (
            self._scores.get((record.reference, record.text)) is not None
            and all(self._fits.get((record.clip_id, text)) is not None for _, text in record.messages)
        )

    def fill(self, record: UtteranceRecord, in_flight: Container[str]) -> None:
        """Fill in its scores and `foreign_text`. `in_flight`: clips whose words could have reached its caller."""
        self.fill_scores(record)
        record.foreign_text = sum(
            any(clip_id in in_flight for clip_id in self.clips_fitted(record.clip_id, record.reference, text))
            for _, text in record.messages
        )

    def fill_scores(self, record: UtteranceRecord) -> None:
        if record.is_transcribed:
            key = (record.reference, record.text)
            scores = self._scores.get(key) or self._scores.keep(key, score(*key, self._normaliser))
            scores.fill_into(record)

    def clips_fitted(self, clip_id: str, reference: str, message: str) -> frozenset[str]:
        """The other clips of which the message has the words, better than of its own."""
        key = (clip_id, message)
        fits = self._fits.get(key)
        return fits if fits is not None else self._fits.keep(key, clips_fitted(message, reference, self._spoken))

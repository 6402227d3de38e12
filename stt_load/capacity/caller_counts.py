"""Counts parts and wholes of objectives by caller, from the utterances of one trial; `trial.py` says what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from stt_load.capacity.trial import CallerCounts, allowed_share
from stt_load.errors import Outcome
from stt_load.metrics.figures import Source
from stt_load.metrics.slo import Slo
from stt_load.metrics.utterance_value import utterance_value
from stt_load.metrics.wer import score
from stt_load.records import CallerKey, UtteranceRecord

Piece = tuple[float, float]
"""The part and the whole of one utterance."""

Measure = Callable[[Slo, UtteranceRecord], Piece | None]
"""What one utterance adds to an objective; None: nothing."""


def _is_interrupted(record: UtteranceRecord) -> bool:
    return record.outcome == Outcome.INTERRUPTED


def _late(slo: Slo, record: UtteranceRecord) -> Piece | None:
    value = utterance_value(slo.figure, record)
    return None if value is None else (float(not slo.is_met_by(value)), 1.0)


def _has_failed_of_completed(slo: Slo, record: UtteranceRecord) -> bool:
    """It failed, where the figure is one of completed utterances."""
    return slo.figure.source is Source.COMPLETED and utterance_value(slo.figure, record) == math.inf


def _amount(slo: Slo, record: UtteranceRecord) -> Piece | None:
    value = utterance_value(slo.figure, record)
    return None if value is None or math.isinf(value) else (value, 1.0)


def _failed(slo: Slo, record: UtteranceRecord) -> Piece | None:
    return None if _is_interrupted(record) else (float(not record.is_ok), 1.0)


def _word_errors(slo: Slo, record: UtteranceRecord) -> Piece | None:
    if not record.is_ok:
        return None
    return float(record.word_errors), float(record.reference_words or 0)


def _word_errors_of_all(slo: Slo, record: UtteranceRecord) -> Piece | None:
    if record.is_ok or _is_interrupted(record):
        return _word_errors(slo, record)
    known = record.reference_words
    words = float(score(record.reference, "").reference_words if known is None else known)
    return words, words


def _errors_on_screen(text: str) -> Measure:
    """The errors of one text on the screen, `first_partial` or `first_final`."""
    read = attrgetter(f"{text}_errors", f"{text}_words")

    def measure(slo: Slo, record: UtteranceRecord) -> Piece | None:
        errors, words = read(record.screen) if record.screen and record.is_ok else (None, None)
        return None if errors is None or words is None else (float(errors), float(words))

    return measure


def _letter_errors(slo: Slo, record: UtteranceRecord) -> Piece | None:
    if not record.is_ok:
        return None
    return float(record.character_errors or 0), float(record.reference_characters or 0)


def _cut_early(slo: Slo, record: UtteranceRecord) -> Piece | None:
    return None if record.cut_early is None else (float(record.cut_early), 1.0)


def _split(slo: Slo, record: UtteranceRecord) -> Piece | None:
    return None if record.cut_early is None else (float(record.is_split), 1.0)


def _ended_eagerly(slo: Slo, record: UtteranceRecord) -> Piece | None:
    if record.cut_early is None or record.eager_turn_ends is None:
        return None
    return float(bool(record.eager_turn_ends)), 1.0


_MEASURES: dict[str, Measure] = {
    "error_rate": _failed,
    "wer": _word_errors,
    "wer_all": _word_errors_of_all,
    "cer": _letter_errors,
    "first_partial_wer": _errors_on_screen("first_partial"),
    "first_final_wer": _errors_on_screen("first_final"),
    "cut_early_rate": _cut_early,
    "split_rate": _split,
    "eager_end_rate": _ended_eagerly,
}


def measure_of(slo: Slo) -> Measure:
    """What an utterance adds to an objective that has a share."""
    if slo.figure.is_distribution:
        return _amount if slo.percentile is None else _late
    return _MEASURES[slo.figure.name]


@dataclass(slots=True)
class _Pieces:
    """The pieces of one objective, with the number of the caller that each is of."""

    slo: Slo
    measure: Measure
    callers: list[int] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    failed: int = 0

    def add(self, caller: int, record: UtteranceRecord) -> None:
        piece = self.measure(self.slo, record)
        if piece is not None:
            self.callers.append(caller)
            self.parts.append(piece[0])
            self.wholes.append(piece[1])
            self.failed += self.measure is _late and _has_failed_of_completed(self.slo, record)

    def close(self, callers: int) -> CallerCounts:
        parts, wholes = (
            np.bincount(np.array(self.callers, np.int64), values, callers).astype(np.float64)
            for values in (self.parts, self.wholes)
        )
        return CallerCounts(parts, wholes, self.failed)


class CallerTally:
    """The counts of one stage in the making, for these objectives. Add records as they come, then close once."""

    def __init__(self, slos: Sequence[Slo]) -> None:
        self._pieces = [_Pieces(slo, measure_of(slo)) for slo in slos if allowed_share(slo) is not None]
        self._callers: dict[CallerKey, int] = {}

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances of the stage. Only those that started in the hold count."""
        for record in records:
            if record.is_counted:
                caller = self._callers.setdefault(record.caller, len(self._callers))
                for pieces in self._pieces:
                    pieces.add(caller, record)

    def close(self) -> Mapping[str, CallerCounts]:
        """The counts by text of the objective; one without a share, or without any utterance, is not in it."""
        counts = {pieces.slo.text: pieces.close(len(self._callers)) for pieces in self._pieces if pieces.callers}
        return {text: counted for text, counted in counts.items() if counted.share is not None}

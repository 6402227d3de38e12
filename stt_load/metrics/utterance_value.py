"""What one utterance adds to a figure that is a distribution, by the rules of a stage (`StageFigures.with_failed`)."""

from __future__ import annotations

import math

from stt_load.errors import Outcome
from stt_load.metrics.figures import Figure, Source
from stt_load.records import UtteranceRecord


def utterance_value(figure: Figure, record: UtteranceRecord) -> float | None:
    """The value. Infinite where the utterance failed, whatever it had by then of a figure of completed ones, or where
    the server never ended its turn: later than any bound. None where it adds nothing."""
    if figure.source is Source.COMPLETED:
        if record.is_silent or record.outcome == Outcome.INTERRUPTED:
            return None
        if not record.is_ok:
            return math.inf
    if figure.name == "endpointing_delay" and record.is_left_open:
        return math.inf
    value: float | None = getattr(record, figure.field)
    return value

"""How much of a hold the mean caller was sending audio."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class DutyCycle:
    """The duty cycle of one hold with `users` callers, in the making. `hold_start_s`, `hold_end_s`: wall clock."""

    users: int
    hold_start_s: float
    hold_end_s: float
    _sent_s: array[float] = field(default_factory=lambda: array("d"))

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        """Adds every utterance of the stage, also those that began before the hold and were still speaking in it."""
        began, ended = self.hold_start_s, self.hold_end_s
        spans = [(record.started_at, record.started_at + record.audio_s) for record in records]
        self._sent_s.extend([min(end, ended) - max(start, began) for start, end in spans if end > began])

    def close(self) -> float | None:
        """The share of the hold, 0 to 1; None for a hold without length or callers."""
        capacity_s = self.users * (self.hold_end_s - self.hold_start_s)
        if capacity_s <= 0:
            return None
        return min(1.0, math.fsum(sent_s for sent_s in self._sent_s if sent_s > 0) / capacity_s)

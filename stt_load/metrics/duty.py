"""How much of a hold the mean caller was sending audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from stt_load.metrics.kept_values import LongSum
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class DutyCycle:
    """The duty cycle of one hold with `users` callers, in the making. `hold_start_s`, `hold_end_s`: wall clock."""

    users: int
    hold_start_s: float
    hold_end_s: float
    _sent_s: LongSum = field(default_factory=LongSum)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds every utterance of the stage, also those that began before the hold and were still speaking in it."""
        starts = np.fromiter(map(attrgetter("started_at"), records), float)
        ends = starts + np.fromiter(map(attrgetter("audio_s"), records), float)
        sent_s = np.minimum(ends, self.hold_end_s) - np.maximum(starts, self.hold_start_s)
        self._sent_s.extend(sent_s[sent_s > 0].tolist())

    def close(self) -> float | None:
        """The share of the hold, 0 to 1; None for a hold without length or callers."""
        capacity_s = self.users * (self.hold_end_s - self.hold_start_s)
        if capacity_s <= 0:
            return None
        return min(1.0, self._sent_s.total / capacity_s)

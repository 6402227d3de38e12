"""Utterances that began before a hold and ended in it. They make no figure; what became of them may still be news."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from stt_load.metrics.failures import has_failed
from stt_load.metrics.quantiles import Distribution
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class BeforeHold:
    """The headline figure of those of one hold, in the making. `hold_start_s`, `hold_end_s`: wall clock."""

    hold_start_s: float
    hold_end_s: float
    _values: array[float] = field(default_factory=lambda: array("d"))
    _failed: int = 0

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances of the stage; leaves out those that count, and those that ended at another time."""
        for record in records:
            if record.phase != "ramp" or not self._ended_in_hold(record):
                continue
            if record.is_ok and record.headline_s is not None:
                self._values.append(record.headline_s)
            else:
                self._failed += has_failed(record)

    def close(self) -> Distribution:
        """Their values, infinite for those that failed."""
        return Distribution.of(self._values).with_infinite(self._failed)

    def _ended_in_hold(self, record: UtteranceRecord) -> bool:
        return self.hold_start_s <= record.started_at + (record.duration_s or 0.0) <= self.hold_end_s

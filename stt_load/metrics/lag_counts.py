"""How late the frames of a stage were handed over, counted over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from stt_load.metrics.quantiles import rank
from stt_load.records import MAX_LAG_BUCKET_MS, UtteranceRecord


@dataclass(slots=True)
class LagCounts:
    """Counts over the frames of one stage.

    `by_ms`: frames by the upper edge of their lag. `is_unknown`: some row, of an older version, does not have its
    counts. `max_s`: the largest lag; None without frames. `held_up`: of the late frames, those that the kernel did not
    take sooner. `missed`: frames that were late when their utterances ended without them.
    """

    by_ms: Counter[int] = field(default_factory=Counter)
    is_unknown: bool = False
    max_s: float | None = None
    held_up: int = 0
    missed: int = 0

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        self.held_up += sum(map(attrgetter("frames_held_up"), records))
        self.missed += sum(map(attrgetter("frames_missed"), records))
        for record in records:
            if record.pacing_lag_counts is not None:
                for edge_ms, frames in record.pacing_lag_counts.items():
                    self.by_ms[edge_ms] += frames
            elif record.frames:
                self.is_unknown = True
        largest_s = [lag_s for record in records if (lag_s := record.pacing_lag_max_s) is not None]
        self.max_s = max(largest_s if self.max_s is None else [self.max_s, *largest_s], default=None)

    @property
    def p99_s(self) -> float | None:
        """The 99th percentile over all frames, by nearest rank: the upper edge of the bucket that it falls into, or the
        largest lag where that is less, or the bucket has no upper edge. None where it isn't known of all frames."""
        if self.is_unknown or self.max_s is None:
            return None
        left = rank(self.by_ms.total(), 0.99)
        for edge_ms in sorted(self.by_ms):
            left -= self.by_ms[edge_ms]
            if left <= 0 and edge_ms <= MAX_LAG_BUCKET_MS:
                return min(edge_ms / 1_000, self.max_s)
        return self.max_s

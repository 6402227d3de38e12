"""A histogram of seconds that only grows, in both shapes that other systems read.

classic buckets     BOUNDS_S: how many values are at most so large. They answer "which share is below 0.8 s?"
native buckets      bucket i holds (2^((i-1)/8), 2^(i/8)] seconds: each is 9 % wider than the one before, wherever the
                    values are. Prometheus calls that schema 3, OpenTelemetry scale 3 (whose index is one less).
                    https://prometheus.io/docs/specs/native_histograms/
                    https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

BOUNDS_S = (
    *(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0),
)
"""Upper edges of the classic buckets: close together where objectives lie. Values above the last share one more."""

SCHEMA = 3
_PER_OCTAVE = 2**SCHEMA

ZERO_THRESHOLD_S = 2.0**-10
"""Values up to this, a millisecond, share the native histogram's bucket of zero."""


@dataclass(slots=True)
class LatencyHistogram:
    """Counts of values, in seconds. `classic` has one count for each bound and one for what is above all of them;
    `native` counts by the index of the bucket, `zero` those in none."""

    classic: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    native: Counter[int] = field(default_factory=Counter)
    zero: int = 0
    sum_s: float = 0.0
    min_s: float = math.inf
    max_s: float = 0.0

    def add(self, value_s: float) -> None:
        self.classic[bisect_left(BOUNDS_S, value_s)] += 1
        if value_s <= ZERO_THRESHOLD_S:
            self.zero += 1
        else:
            self.native[math.ceil(math.log2(value_s) * _PER_OCTAVE)] += 1
        self.sum_s += max(value_s, 0.0)  # the sum of what only grows may not fall
        self.min_s, self.max_s = min(self.min_s, value_s), max(self.max_s, value_s)

    @property
    def n(self) -> int:
        return sum(self.classic)

    @property
    def least_s(self) -> float:
        """The smallest value; 0 without any."""
        return self.min_s if self.n else 0.0

    def cumulative(self) -> list[tuple[float, int]]:
        """(upper edge, how many values are at most that) of each classic bucket; the last edge is infinite."""
        return list(zip((*BOUNDS_S, math.inf), accumulate(self.classic), strict=True))

    def dense(self) -> tuple[int, list[int]]:
        """The native buckets without gaps: the index of the first one, and their counts."""
        if not self.native:
            return 0, []
        first, last = min(self.native), max(self.native)
        return first, [self.native[index] for index in range(first, last + 1)]

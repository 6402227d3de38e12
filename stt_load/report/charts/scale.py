"""A scale from values to pixels, and the values at its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)
_TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` lie between the pixels `start` and `stop`; what is beyond is drawn at the edge."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` round values and one more, over all of the range: the first is `low` or less, the last `high` or
    more."""
    rough = (high - low) / most or 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * step for step in _STEPS if size * step >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def time_ticks(length_s: float, most: int = 8) -> list[float]:
    """Round times from 0 on that are within the length."""
    days = math.ceil(length_s / most / _TIME_STEPS_S[-1])
    step = next((step for step in _TIME_STEPS_S if length_s / step <= most), days * _TIME_STEPS_S[-1])
    return [float(at) for at in range(0, math.floor(length_s) + 1, step)]


def tick_text(value: float) -> str:
    """A tick's value, as short as it can be said: 0.5, 20, 12k."""
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{round(value, 6):g}"

"""The axis of callers: where each number of callers stands, and how wide what belongs to it may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from stt_load.report.charts.scale import Scale

_NARROWEST_SHARE = 0.055  # of an axis to scale: numbers of callers that are nearer can't be told apart
_WIDEST_EDGE = 26.0


@dataclass(frozen=True)
class CallersAxis:
    """Numbers of callers (or erlangs, with --arrivals), each once and ascending, from `left` to `right`: to scale where
    they can be told apart so, else side by side."""

    users: tuple[float, ...]
    left: float
    right: float

    def x(self, users: float) -> float:
        """The place of a number of callers; of one that was not tried, between its neighbours."""
        return self._scale(users if self.is_to_scale else float(np.interp(users, self.users, range(len(self.users)))))

    @cached_property
    def is_to_scale(self) -> bool:
        steps = [second - first for first, second in pairwise(self.users)]
        return not steps or min(steps) / (self.users[-1] - self.users[0]) >= _NARROWEST_SHARE

    @cached_property
    def _scale(self) -> Scale:
        low, high = (self.users[0], self.users[-1]) if self.is_to_scale else (0, len(self.users) - 1)
        if low == high:
            low, high = low - 1, high + 1
        edge = min(0.5 * (self.right - self.left) / len(self.users), _WIDEST_EDGE)
        return Scale(low, high, self.left + edge, self.right - edge)

    def band(self, users: float) -> tuple[float, float]:
        """Left edge and width of what belongs to a number of callers: half of the way to its neighbours, or all of it
        to the end of the axis."""
        place, at = self.users.index(users), self.x(users)
        before = (self.x(self.users[place - 1]) + at) / 2 if place else self.left
        after = (self.x(self.users[place + 1]) + at) / 2 if place + 1 < len(self.users) else self.right
        return before, after - before

    def width(self, users: float) -> float:
        """The width within which something can be drawn around a number of callers."""
        left, width = self.band(users)
        return 2 * min(self.x(users) - left, left + width - self.x(users))

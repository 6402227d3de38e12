"""Keeps the gaps of one source: times in which it gave no sample of a device, or none at all."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import NamedTuple

from gpu_sidecar.sources.base import Moment, SampleGap

_MAX_GAPS = 100


class GapOf(NamedTuple):
    """What a gap is of: one device, or the whole source (WHOLE)."""

    kind: str | None
    gpu: int | None


WHOLE = GapOf(None, None)


class GapLog:
    """The newest gaps, one open at a time for each device and for the whole source. It takes no lock."""

    def __init__(self, max_gaps: int = _MAX_GAPS) -> None:
        self._ended: deque[SampleGap] = deque(maxlen=max_gaps)
        self._open: dict[GapOf, SampleGap] = {}

    def begin(self, whose: GapOf, since: Moment, why: str) -> bool:
        """Begins a gap; False if one is open, whose first reason matters more than later ones."""
        if whose in self._open:
            return False
        self._open[whose] = SampleGap(since.wall, None, why, since.mono, None, *whose)
        return True

    def end(self, whose: GapOf, now: Moment) -> None:
        gap = self._open.pop(whose, None)
        if gap is not None:
            self._ended.append(replace(gap, ended=now.wall, ended_mono=now.mono))

    def all(self) -> tuple[SampleGap, ...]:
        """Every gap that is kept, oldest first; those that last come at the end."""
        return (*self._ended, *self._open.values())

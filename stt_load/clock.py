"""Time as an argument: the core is told what time it is and never asks.

All times inside are float seconds on one monotonic clock per process. Wall-clock time appears only where something
leaves the process or enters it: names of files, `started_at`, joining with another machine's log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self


class Clock(Protocol):
    """Tells the time: seconds since an arbitrary moment, never going back. Shells hand in `time.monotonic`."""

    def __call__(self) -> float: ...


@dataclass(frozen=True, slots=True)
class SteadyWallClock:
    """The wall clock as it was read once, carried on by the monotonic clock.

    Two of its times differ by what passed between them, whoever sets the machine's clock meanwhile (NTP, a person, a
    host that wakes a machine up). `ahead_s`: the wall clock minus the monotonic clock, when it was read.
    """

    ahead_s: float

    @classmethod
    def read(cls, wall: Clock, mono: Clock) -> Self:
        return cls(wall() - mono())

    def at(self, mono_s: float) -> float:
        """Seconds since 1970 at this moment of the monotonic clock."""
        return mono_s + self.ahead_s

"""A sidecar's clock as seen from here: every exchange is an estimate, the best one is in use.

An exchange tells what the sidecar's clocks read at a moment between its question and its answer, so half of its round
trip is how far off it can be. The shortest one wins, but not for ever: the two machines' clocks drift apart, so the
uncertainty of an estimate grows with its age. An exchange replaces the one in use as soon as it is the better of the
two, which bounds the error: never more than half the round trip of the newest exchange. Where round trips vary between
1 and 5 ms, an old best gives way after (2.5 - 0.5) ms / 50 ppm = 40 s at the latest.
"""

from __future__ import annotations

from dataclasses import dataclass

DRIFT_RATIO = 50e-6
"""How fast two clocks may part: quartz is good to some 20 to 50 ppm. RFC 5905 reckons with 15 ppm (its PHI) between
clocks that NTP looks after; nobody promises that here."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer: `asked` and `answered` on our monotonic clock, and what the sidecar's two read
    somewhere between them: `wall` (seconds since 1970) and `mono` (seconds since anything)."""

    asked: float
    answered: float
    wall: float
    mono: float

    @property
    def middle(self) -> float:
        return (self.asked + self.answered) / 2

    def uncertainty_s(self, now: float) -> float:
        """Right to within this much, either way, at `now` on our monotonic clock."""
        return (self.answered - self.asked) / 2 + DRIFT_RATIO * abs(now - self.middle)


class SidecarClock:
    """What one start of a sidecar tells of its clocks. None from everything before the first exchange."""

    def __init__(self) -> None:
        self._best: Exchange | None = None

    def note(self, exchange: Exchange) -> None:
        now = exchange.answered
        if self._best is None or exchange.uncertainty_s(now) <= self._best.uncertainty_s(now):
            self._best = exchange

    def uncertainty_s(self, now: float) -> float | None:
        return None if self._best is None else self._best.uncertainty_s(now)

    def to_our_mono(self, mono: float) -> float | None:
        """A moment on the sidecar's monotonic clock, on ours: both wall clocks may be set meanwhile."""
        return None if self._best is None else self._best.middle + (mono - self._best.mono)

    def offset_s(self, wall_minus_mono_s: float) -> float | None:
        """The sidecar's wall clock minus ours, where ours reads `wall_minus_mono_s` more than our monotonic one."""
        return None if self._best is None else self._best.wall - (self._best.middle + wall_minus_mono_s)

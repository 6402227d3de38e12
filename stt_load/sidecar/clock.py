"""Estimates a sidecar's clock: every exchange gives an estimate, and the best one is used.

An exchange tells what the sidecar's clocks showed at a moment between request and answer, so it can be wrong by half of
the round trip. The shortest exchange is best, but not for ever: the clocks of two machines drift apart, so an estimate
gets less certain with age. A newer exchange replaces the one in use as soon as it is better, so the error is never more
than half the round trip of the newest exchange. Where round trips vary between
1 and 5 ms, an old best gives way after (2.5 - 0.5) ms / 50 ppm = 40 s at the latest.

A machine that sleeps, or a virtual one that is paused, has a monotonic clock that stands still meanwhile. Then two
exchanges contradict each other: no drift explains both. The newer one is used, whatever its round trip.
"""

from __future__ import annotations

from dataclasses import dataclass

DRIFT_RATIO = 50e-6
"""How fast two clocks may drift apart: quartz is exact to some 20 to 50 ppm. RFC 5905 assumes 15 ppm (its PHI) between
clocks that NTP corrects, which may not be so here."""


_ROUNDING_S = 1e-6  # of sums of seconds since a boot that is years ago


@dataclass(frozen=True, slots=True)
class Exchange:
    """The clocks of one request and its answer.

    `asked` and `answered` are on our monotonic clock. `wall` (seconds since 1970) and `mono` (seconds since any moment)
    are the sidecar's clocks at some moment in between.
    """

    asked: float
    answered: float
    wall: float
    mono: float

    @property
    def middle(self) -> float:
        return (self.asked + self.answered) / 2

    def uncertainty_s(self, now: float) -> float:
        """How far off the estimate can be, either way, at `now` on our monotonic clock."""
        return (self.answered - self.asked) / 2 + DRIFT_RATIO * abs(now - self.middle)


class SidecarClock:
    """The estimated clocks of one start of a sidecar. Before the first exchange every method returns None."""

    def __init__(self) -> None:
        self._best: Exchange | None = None

    def note(self, exchange: Exchange) -> float:
        """Takes an exchange into account. Returns the seconds by which it contradicts the estimate so far, negative
        where the sidecar's clock stood still; 0 where the two agree."""
        now, best = exchange.answered, self._best
        if best is None:
            self._best = exchange
            return 0.0
        apart_s = (exchange.mono - best.mono) - (exchange.middle - best.middle)
        uncertainty_s = exchange.uncertainty_s(now) + best.uncertainty_s(now)
        is_contradiction = abs(apart_s) > uncertainty_s + _ROUNDING_S
        if is_contradiction or exchange.uncertainty_s(now) <= best.uncertainty_s(now):
            self._best = exchange
        return apart_s if is_contradiction else 0.0

    def uncertainty_s(self, now: float) -> float | None:
        return None if self._best is None else self._best.uncertainty_s(now)

    def to_our_mono(self, mono: float) -> float | None:
        """Converts a moment on the sidecar's monotonic clock to ours, even if wall clocks are set meanwhile."""
        return None if self._best is None else self._best.middle + (mono - self._best.mono)

    def offset_s(self, wall_minus_mono_s: float) -> float | None:
        """The sidecar's wall clock minus ours, which is `wall_minus_mono_s` ahead of our monotonic clock."""
        return None if self._best is None else self._best.wall - (self._best.middle + wall_minus_mono_s)

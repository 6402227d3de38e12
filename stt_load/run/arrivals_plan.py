"""The stages of an open loop: calls come at a rate, and nobody waits for a number of callers.

    ramp                                        hold ──▶ grace ──▶ settle ──▶ next stage
    load processes │ calls begin: │ warm-up     calls go on coming
    get ready      │ the opening  │             until the settle

A call counts where it is due in the hold, an utterance where it begins in it, in whatever call. The opening puts as
many callers on the line as would be there had the stage gone on for ever, so a hold need not wait for that. Where the
server refuses calls it takes up to the length of a call more until its load is that of any other moment: the warm-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stt_load.capacity.arrivals import CallLoad
from stt_load.run.plan import NOBODY_CAME, Ladder, Observation, Phase, StagedPlan, Timing, Transition

CALLS_BEGIN = "calls begin"


class ArrivalsPlan(StagedPlan):
    """A stage for each load. `seats`: Locust users, one for each load process, which keep it playing calls."""

    def __init__(self, loads: Sequence[CallLoad], timing: Timing, warm_up_s: float, seats: int) -> None:
        super().__init__(Ladder([load.users for load in loads]), timing)
        self._loads = loads
        self._warm_up_s = warm_up_s
        self._seats = seats
        self._calls_since_s: float | None = None  # of this stage

    @property
    def seats(self) -> int:
        return self._seats

    @property
    def load(self) -> CallLoad:
        """The calls of the stage that is on."""
        return self._loads[self._stage]

    def remaining_s(self, now_s: float) -> float | None:
        if self._phase is Phase.RAMP and self._calls_since_s is not None:
            return max(0.0, self._calls_since_s + self._ramp_s - now_s)
        return super().remaining_s(now_s)

    @property
    def _ramp_s(self) -> float:
        """From the first call to the hold."""
        return self.load.opening_s + self._warm_up_s

    def _end_ramp(self, now_s: float, observed: Observation) -> Transition | None:
        if self._calls_since_s is not None:
            is_over = now_s - self._calls_since_s >= self._ramp_s
            return self._begin(now_s, Phase.HOLD, "warmed up") if is_over else None
        is_late = now_s - self._since_s >= self.timing.utterance_limit_s + self.timing.slack_s
        if (observed.reached == self.seats and observed.is_ready) or (is_late and observed.reached):
            self._calls_since_s = now_s
            return self._begin(now_s, Phase.RAMP, CALLS_BEGIN)
        return self._begin(now_s, Phase.DONE, NOBODY_CAME) if is_late else None

    def _begin(self, now_s: float, phase: Phase, reason: str) -> Transition:
        if phase is Phase.RAMP and reason != CALLS_BEGIN:
            self._calls_since_s = None
        transition = super()._begin(now_s, phase, reason)
        return replace(transition, load=self.load, is_open=self._calls_since_s is not None)

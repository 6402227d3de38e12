"""The stages of a run as a state machine: told the time and what is observed, it says which phase begins.

    staged:  ┌─ ramp ──▶ hold ──▶ grace ──▶ settle ─┐ next stage ─▶ … ─▶ done
             │  callers  what     load goes  no load │
             │  arrive   starts   on, the            │
             │           counts   counted end        │
    spike:   ramp ──▶ hold ──▶ grace ──▶ ramp ──▶ hold ──▶ ramp ──▶ hold ──▶ grace ──▶ settle ──▶ done
             few callers                 many at once      as few as before
    follow:  ramp ──▶ hold ──▶ (target changes) ramp ──▶ hold ──▶ …       until the run is stopped;
                               settle, where the target is nobody

A staged plan asks where its next number of callers comes from: a ladder has a list, a search (`search_stages.py`) looks
at what the stages before it have shown.

A hold opens when the callers are there, never by wall clock alone; a grace ends when every counted utterance has
ended, so slow utterances are never cut off at an edge and none finishes under a lighter load. A hold lasts as long as
it was asked to, and until every caller has begun an utterance that counts. Otherwise callers whom the server has let
hang since the ramp would be missing, and only the others would show how well it does. Where the server refuses every
caller of the first stage, or seems to speak another dialect, a larger one would say nothing more: the run is over. So
it is where nobody comes or begins. Each phase of a stage has a limit, whatever is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from stt_load.capacity.arrivals import CallLoad
from stt_load.metrics.other_dialect import speaks_another_dialect
from stt_load.report.stage_timeline import ENDED_EARLY, SPIKE_STAGE

ALL_REFUSED = "every caller of the first stage was refused"
OTHER_DIALECT = "no utterance of the first stage came to a good end, and the server seems to speak another dialect"
NOBODY_CAME = "no caller came: Locust started none, or none stayed"
NOBODY_BEGAN = "no caller began to speak"
ALL_DONE = "all stages done"
NOBODY = "0 callers: nothing is measured until the user count changes"

_JUDGING_LIMIT_S = 60.0  # a million utterances are read in less


class Phase(StrEnum):
    RAMP = "ramp"
    HOLD = "hold"
    GRACE = "grace"
    SETTLE = "settle"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of the current stage, over all workers.

    `reached`: callers there. `speaking`: callers that have begun an utterance in this stage. `begun`, `ended`:
    counted utterances. `in_flight`: utterances in flight, counted or not. `is_current`: every worker has reported
    since the current phase was announced, so that `begun` can't grow any more once the hold is over. `refused`: of
    the ended ones, those that the server would not take. `ok`, `other_dialect`: of the ended ones, those that came to a
    good end, and those whose server seems to speak another dialect. `is_judged`: the stage's report is there, or none
    is to come: it is made in the settle, so that no audio is due meanwhile. `breach`: which objective is missed for
    certain, one clause; None where none is, or where holds are not to end early. `uncounted`: callers that are there
    and have begun no counted utterance yet. `is_ready`: every load process could play calls, with --arrivals.
    """

    reached: int
    speaking: int
    begun: int
    ended: int
    in_flight: int
    is_current: bool
    target: int = 0  # FollowPlan only: the number of callers somebody has asked for
    refused: int = 0
    ok: int = 0
    other_dialect: int = 0
    is_judged: bool = True
    breach: str | None = None
    uncounted: int = 0
    is_ready: bool = True

    @property
    def hopeless(self) -> str | None:
        """Why more callers would only repeat what these have met; None where they may do better."""
        if 0 < self.ended == self.refused:
            return ALL_REFUSED
        return OTHER_DIALECT if speaks_another_dialect(self.ended, self.ok, self.other_dialect) else None


@dataclass(frozen=True, slots=True)
class Transition:
    """A phase begins. `load`: what the stage offers with --arrivals. `is_open`: its calls have begun."""

    stage: int
    phase: Phase
    users: int
    reason: str
    load: CallLoad | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """How long phases last, seconds.

    `rounds`: instead of `hold_s`, every caller speaks so many utterances. `utterance_limit_s`: no utterance lasts
    longer, pause included (longest clip, silence, timeout). `slack_s`: how much longer than its arithmetic a ramp may
    take, and the time in which a caller begins its next utterance. `is_together`: callers begin together, so nobody
    speaks before the hold.
    """

    hold_s: float
    settle_s: float
    ramp_rate: float
    utterance_limit_s: float
    at_least: int = 0
    rounds: int | None = None
    is_together: bool = False
    slack_s: float = 15.0

    @property
    def idle_limit_s(self) -> float:
        """In so many seconds at least one utterance begins, where there is a caller."""
        return self.utterance_limit_s + self.slack_s

    @property
    def is_silent_ramp(self) -> bool:
        return self.is_together or self.rounds is not None


class StageSource(Protocol):
    """Where the number of callers of each stage comes from."""

    @property
    def first_users(self) -> int: ...

    def next_users(self, stage: int, *, ended_early: bool) -> int | str:
        """Callers of the stage after this one, which has ended and been judged; or why there is none. `ended_early`: it
        misses an objective for certain, and its hold ended with that."""
        ...


class Ladder:
    """Stages that somebody wrote down. Above one that misses an objective for certain there is nothing to find out."""

    def __init__(self, users: Sequence[int]) -> None:
        self._users = tuple(users)
        self.first_users = self._users[0]

    def next_users(self, stage: int, *, ended_early: bool) -> int | str:
        if ended_early:
            return "a stage misses an objective for certain"
        return self._users[stage + 1] if stage + 1 < len(self._users) else ALL_DONE


class StagedPlan:
    """Stages that end by themselves, one after the other."""

    def __init__(self, source: StageSource, timing: Timing) -> None:
        self._source = source
        self.timing = timing
        self._stage = 0
        self._users = source.first_users
        self._ended_early = False  # the hold of this stage
        self._phase = Phase.RAMP
        self._since_s = 0.0
        self._begun = 0
        self._begun_at_s = 0.0  # the last time at which one more had begun
        self._idle_since_s: float | None = None

    @property
    def users(self) -> int:
        return self._users

    @property
    def seats(self) -> int:
        """How many users Locust is to keep: each plays one caller."""
        return self._users

    @property
    def is_done(self) -> bool:
        return self._phase is Phase.DONE

    def start(self, now_s: float) -> Transition:
        return self._begin(now_s, Phase.RAMP, "run started")

    def stop(self, now_s: float, reason: str) -> Transition:
        """The run ends now."""
        return self._begin(now_s, Phase.DONE, reason)

    def remaining_s(self, now_s: float) -> float | None:
        """Seconds until the phase ends; None where it does not end by time."""
        if self._phase is Phase.HOLD and self.timing.rounds is None:
            return max(0.0, self._since_s + self.timing.hold_s - now_s)
        if self._phase is Phase.SETTLE and self._idle_since_s is not None:
            return max(0.0, self._idle_since_s + self.timing.settle_s - now_s)
        return None

    def advance(self, now_s: float, observed: Observation) -> Transition | None:
        """Returns the phase that begins now, or None. To be asked often."""
        match self._phase:
            case Phase.RAMP:
                return self._end_ramp(now_s, observed)
            case Phase.HOLD:
                return self._end_hold(now_s, observed)
            case Phase.GRACE:
                return self._end_grace(now_s, observed)
            case Phase.SETTLE:
                return self._end_settle(now_s, observed)
        return None

    def _end_ramp(self, now_s: float, observed: Observation) -> Transition | None:
        all_speak = self.timing.is_silent_ramp or observed.speaking >= self.users
        # Not "at least": after a larger stage there are too many until the surplus has gone.
        if observed.reached == self.users and all_speak:
            return self._begin(now_s, Phase.HOLD, "target reached")
        limit_s = self.users / self.timing.ramp_rate + self.timing.utterance_limit_s + self.timing.slack_s
        if now_s - self._since_s < limit_s:
            return None
        if not observed.reached:
            return self._begin(now_s, Phase.DONE, NOBODY_CAME)
        return self._begin(now_s, Phase.HOLD, "target not reached in time")

    def _end_hold(self, now_s: float, observed: Observation) -> Transition | None:
        held_s = now_s - self._since_s
        if observed.begun > self._begun:
            self._begun, self._begun_at_s = observed.begun, now_s
        if observed.breach is not None:
            self._ended_early = True
            return self._leave_hold(now_s, ENDED_EARLY + observed.breach)
        if self.timing.rounds is not None:
            if observed.ended >= self.users * self.timing.rounds:
                return self._leave_hold(now_s, "rounds done")
            if held_s >= self.timing.rounds * self.timing.utterance_limit_s:
                return self._leave_hold(now_s, "rounds not done in time")
        elif self._is_held(held_s, observed):
            return self._leave_hold(now_s, "held")
        if now_s - self._begun_at_s < self.timing.idle_limit_s:
            return None
        if not self._begun:
            return self._begin(now_s, Phase.DONE, NOBODY_BEGAN)
        return self._leave_hold(now_s, "nobody began any more")

    def _is_held(self, held_s: float, observed: Observation) -> bool:
        return (
            held_s >= self.timing.hold_s
            and observed.begun >= self.timing.at_least
            and self._have_all_counted(held_s, observed)
        )

    def _leave_hold(self, now_s: float, reason: str) -> Transition:
        return self._begin(now_s, Phase.GRACE, reason)

    def _have_all_counted(self, held_s: float, observed: Observation) -> bool:
        """Every caller has begun a counted utterance, or had the time to. Callers whom the server has let hang since
        the ramp would leave no trace in a hold that ends before them. Not asked where no utterance is asked for."""
        is_over_due = held_s >= self.timing.hold_s + self.timing.idle_limit_s
        return not (self.timing.at_least and observed.uncounted) or is_over_due

    def _end_grace(self, now_s: float, observed: Observation) -> Transition | None:
        if observed.is_current and observed.ended >= observed.begun:
            return self._leave_grace(now_s, "all ended", observed)
        if now_s - self._since_s >= self.timing.utterance_limit_s:
            return self._leave_grace(now_s, "not all ended in time", observed)
        return None

    def _leave_grace(self, now_s: float, reason: str, observed: Observation) -> Transition:
        return self._begin(now_s, Phase.SETTLE, reason)

    def _end_settle(self, now_s: float, observed: Observation) -> Transition | None:
        """The time without load is counted from the moment at which the last uncounted utterance has ended."""
        is_late = now_s - self._since_s >= self.timing.idle_limit_s  # a silent worker's callers have stopped by then
        if self._idle_since_s is None and ((observed.in_flight == 0 and observed.is_current) or is_late):
            self._idle_since_s = now_s
        if self._idle_since_s is None or now_s - self._idle_since_s < self.timing.settle_s:
            return None
        if not observed.is_judged and now_s - self._idle_since_s < self.timing.settle_s + _JUDGING_LIMIT_S:
            return None
        return self._leave_stage(now_s, observed)

    def _leave_stage(self, now_s: float, observed: Observation) -> Transition:
        if self._stage == 0 and observed.hopeless:
            return self._begin(now_s, Phase.DONE, observed.hopeless)
        return self._next_stage(now_s)

    def _next_stage(self, now_s: float) -> Transition:
        users = self._source.next_users(self._stage, ended_early=self._ended_early)
        if isinstance(users, str):
            return self._begin(now_s, Phase.DONE, users)
        self._stage, self._users, self._ended_early = self._stage + 1, users, False
        return self._begin(now_s, Phase.RAMP, "next stage")

    def _begin(self, now_s: float, phase: Phase, reason: str) -> Transition:
        self._phase = phase
        self._since_s = self._begun_at_s = now_s
        self._begun = 0
        self._idle_since_s = None
        return Transition(self._stage, phase, self.users, reason)


class LadderPlan(StagedPlan):
    """Fixed stages, one after the other."""

    def __init__(self, ladder: Sequence[int], timing: Timing) -> None:
        super().__init__(Ladder(ladder), timing)


class SpikePlan(StagedPlan):
    """Few callers, many, and as few as before, without a calm between them: a spike meets a server at work.

    The first stage has a grace, so that its last utterances don't end in the spike. The spike has none: it would last
    until a server that has fallen behind has caught up. It lasts for `spike_hold_s`, whoever waits.
    """

    def __init__(self, callers: Sequence[int], timing: Timing, spike_hold_s: float) -> None:
        super().__init__(Ladder(callers), timing)
        self._spike_hold_s = spike_hold_s

    def remaining_s(self, now_s: float) -> float | None:
        if self._phase is Phase.HOLD and self._stage == SPIKE_STAGE:
            return max(0.0, self._since_s + self._spike_hold_s - now_s)
        return super().remaining_s(now_s)

    def _is_held(self, held_s: float, observed: Observation) -> bool:
        if self._stage == SPIKE_STAGE:
            return held_s >= self._spike_hold_s
        return super()._is_held(held_s, observed)

    def _leave_hold(self, now_s: float, reason: str) -> Transition:
        return self._next_stage(now_s) if self._stage == SPIKE_STAGE else super()._leave_hold(now_s, reason)

    def _leave_grace(self, now_s: float, reason: str, observed: Observation) -> Transition:
        if self._stage < SPIKE_STAGE:
            return self._leave_stage(now_s, observed)
        return super()._leave_grace(now_s, reason, observed)


class FollowPlan:
    """No fixed stages: each change of the target number of callers opens one, until the run is stopped. One of 0
    callers is a calm, and no stage to be judged: it has no ramp and no hold."""

    def __init__(self, users: int) -> None:
        self._stage = 0
        self._users = users
        self._phase = Phase.RAMP

    @property
    def users(self) -> int:
        return self._users

    @property
    def seats(self) -> int:
        return self._users

    @property
    def is_done(self) -> bool:
        return self._phase is Phase.DONE

    def start(self, now_s: float) -> Transition:
        return self._begin(Phase.RAMP, "run started")

    def stop(self, now_s: float, reason: str) -> Transition:
        return self._begin(Phase.DONE, reason)

    def remaining_s(self, now_s: float) -> float | None:
        return None

    def advance(self, now_s: float, observed: Observation) -> Transition | None:
        if self._phase is Phase.DONE:
            return None
        if observed.target != self._users:
            self._stage += 1
            self._users = observed.target
            if not self._users:
                return self._begin(Phase.SETTLE, NOBODY)
            return self._begin(Phase.RAMP, "user count changed")
        # Who has left may still be ending an utterance: until then more callers speak than the stage has.
        is_there = observed.reached == self._users and observed.in_flight <= self._users
        if self._phase is Phase.RAMP and is_there:
            return self._begin(Phase.HOLD, "target reached")
        return None

    def _begin(self, phase: Phase, reason: str) -> Transition:
        self._phase = phase
        return Transition(self._stage, phase, self._users, reason)


Plan = StagedPlan | FollowPlan

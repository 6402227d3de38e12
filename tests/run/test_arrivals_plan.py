"""The phases of an open loop under a fake clock."""

from __future__ import annotations

from dataclasses import replace

from stt_load.capacity.arrivals import CallLoad
from stt_load.run.arrivals_plan import CALLS_BEGIN, ArrivalsPlan
from stt_load.run.plan import NOBODY_CAME, Observation, Phase, Timing

TIMING = Timing(hold_s=20, settle_s=3, ramp_rate=10, utterance_limit_s=40, slack_s=65)
LOADS = tuple(
    CallLoad(rate, per_s, 30.0, 10.0, 1, stage) for stage, (rate, per_s) in enumerate([("6/min", 0.1), ("12/min", 0.2)])
)
ABSENT = Observation(reached=0, speaking=0, begun=0, ended=0, in_flight=0, is_current=True, is_ready=False)
READY = replace(ABSENT, reached=2, is_ready=True)


def plan_of(warm_up_s: float = 30.0) -> ArrivalsPlan:
    plan = ArrivalsPlan(LOADS, TIMING, warm_up_s, seats=2)
    plan.start(0.0)
    return plan


def test_calls_begin_when_every_load_process_can_play_them_and_the_hold_when_they_have_warmed_up() -> None:
    plan = plan_of()
    assert plan.advance(1.0, ABSENT) is None
    assert plan.advance(2.0, replace(READY, is_ready=False)) is None, "Locust has them, but one has no clips yet"
    begun = plan.advance(3.0, READY)
    assert begun is not None
    assert (begun.phase, begun.reason, begun.load, begun.is_open) == (Phase.RAMP, CALLS_BEGIN, LOADS[0], True)
    until_s = 3.0 + LOADS[0].opening_s + 30.0
    assert plan.remaining_s(3.0) == until_s - 3.0
    assert plan.advance(until_s - 0.1, READY) is None
    hold = plan.advance(until_s, READY)
    assert hold is not None and (hold.phase, hold.reason, hold.is_open) == (Phase.HOLD, "warmed up", True)
    assert plan.remaining_s(until_s) == 20.0


def test_the_next_stage_has_the_next_rate_and_its_calls_are_still_to_begin() -> None:
    plan = plan_of(warm_up_s=0.0)
    plan.advance(1.0, READY)
    plan.advance(10.0, READY)
    ended = replace(READY, begun=9, ended=9)
    assert plan.advance(30.0, ended).phase is Phase.GRACE  # type: ignore[union-attr]
    settle = plan.advance(31.0, ended)
    assert settle is not None and settle.phase is Phase.SETTLE
    assert plan.advance(32.0, ended) is None
    ramp = plan.advance(35.1, ended)
    assert ramp is not None
    assert (ramp.stage, ramp.phase, ramp.load, ramp.is_open) == (1, Phase.RAMP, LOADS[1], False)
    assert (plan.users, plan.seats) == (6, 2)


def test_a_rare_call_is_waited_for_longer_than_callers_who_stay() -> None:
    plan = plan_of(warm_up_s=0.0)
    plan.advance(1.0, READY)
    plan.advance(10.0, READY)
    assert plan.advance(100.0, replace(READY, begun=0)) is not None, "--at-least 0: the hold ends by the clock"
    plan = ArrivalsPlan(LOADS, replace(TIMING, at_least=1), 0.0, seats=2)
    plan.start(0.0)
    plan.advance(1.0, READY)
    plan.advance(10.0, READY)
    assert plan.advance(100.0, READY) is None
    assert plan.advance(115.0, READY).phase is Phase.DONE  # type: ignore[union-attr]


def test_calls_begin_without_a_load_process_that_never_gets_ready_but_not_without_all() -> None:
    plan = plan_of()
    assert plan.advance(104.9, replace(READY, reached=1, is_ready=False)) is None
    begun = plan.advance(105.0, replace(READY, reached=1, is_ready=False))
    assert begun is not None and begun.is_open
    alone = plan_of().advance(105.0, ABSENT)
    assert alone is not None and (alone.phase, alone.reason) == (Phase.DONE, NOBODY_CAME)


def test_the_utterances_of_a_first_stage_that_was_refused_whole_end_the_run() -> None:
    plan = plan_of(warm_up_s=0.0)
    plan.advance(1.0, READY)
    plan.advance(10.0, READY)
    refused = replace(READY, begun=9, ended=9, refused=9)
    plan.advance(30.0, refused)
    plan.advance(31.0, refused)
    plan.advance(32.0, refused)
    done = plan.advance(36.0, refused)
    assert done is not None and done.phase is Phase.DONE

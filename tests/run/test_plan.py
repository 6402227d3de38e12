"""Phases under a fake clock: told what is seen, which phase begins when and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.run.plan import (
    ALL_REFUSED,
    NOBODY,
    NOBODY_BEGAN,
    NOBODY_CAME,
    OTHER_DIALECT,
    FollowPlan,
    LadderPlan,
    Observation,
    Phase,
    SpikePlan,
    Timing,
    Transition,
)

TIMING = Timing(hold_s=20, settle_s=3, ramp_rate=10, utterance_limit_s=40, slack_s=15)
NOTHING = Observation(reached=0, speaking=0, begun=0, ended=0, in_flight=0, is_current=True)

Step = tuple[
    float, Observation, tuple[str, str] | None
]  # seconds after the start, what is seen, (phase, reason) or None


@dataclass(frozen=True)
class Row:
    sentence: str
    timing: Timing
    steps: Sequence[Step]
    ladder: tuple[int, ...] = (5,)


def seen(**what: int | bool) -> Observation:
    return replace(NOTHING, **what)  # type: ignore[arg-type]


FULL = seen(reached=5, speaking=5)
ROWS = (
    Row(
        "a stage goes through its phases",
        TIMING,
        [
            (0.1, NOTHING, None),
            (0.6, seen(reached=5, speaking=3), None),
            (2.0, FULL, ("hold", "target reached")),
            (21.9, replace(FULL, begun=20, ended=15), None),
            (22.0, replace(FULL, begun=20, ended=15), ("grace", "held")),
            (25.0, replace(FULL, begun=20, ended=19), None),
            (26.0, replace(FULL, begun=20, ended=20, in_flight=3), ("settle", "all ended")),
            (27.0, replace(FULL, begun=20, ended=20, in_flight=1), None),
            (28.0, replace(FULL, begun=20, ended=20), None),
            (30.9, replace(FULL, begun=20, ended=20), None),
            (31.0, replace(FULL, begun=20, ended=20), ("done", "all stages done")),
            (99.0, FULL, None),
        ],
    ),
    Row(
        "a settle waits for the report of its stage",
        TIMING,
        [
            (2.0, FULL, ("hold", "target reached")),
            (22.0, replace(FULL, begun=20, ended=20), ("grace", "held")),
            (22.1, replace(FULL, begun=20, ended=20), ("settle", "all ended")),
            (23.0, replace(FULL, begun=20, ended=20, is_judged=False), None),
            (30.0, replace(FULL, begun=20, ended=20, is_judged=False), None),
            (31.0, replace(FULL, begun=20, ended=20), ("done", "all stages done")),
        ],
    ),
    Row(
        "a report that is not made in a minute is not waited for",
        TIMING,
        [
            (2.0, FULL, ("hold", "target reached")),
            (22.0, replace(FULL, begun=20, ended=20), ("grace", "held")),
            (22.1, replace(FULL, begun=20, ended=20), ("settle", "all ended")),
            (23.0, replace(FULL, begun=20, ended=20, is_judged=False), None),
            (85.9, replace(FULL, begun=20, ended=20, is_judged=False), None),
            (86.1, replace(FULL, begun=20, ended=20, is_judged=False), ("done", "all stages done")),
        ],
    ),
    Row(
        "a hold waits for callers that hang since the ramp: their utterances count too",
        replace(TIMING, at_least=1),
        [
            (2.0, FULL, ("hold", "target reached")),
            (22.0, replace(FULL, begun=12, ended=9, uncounted=2), None),
            (35.0, replace(FULL, begun=16, ended=12, uncounted=1), None),
            (42.0, replace(FULL, begun=20, ended=15), ("grace", "held")),
        ],
    ),
    Row(
        "who could have begun long ago is not waited for",
        replace(TIMING, at_least=1),
        [
            (2.0, FULL, ("hold", "target reached")),
            (40.0, replace(FULL, begun=12, ended=9, uncounted=1), None),
            (76.9, replace(FULL, begun=40, ended=39, uncounted=1), None),
            (77.0, replace(FULL, begun=40, ended=39, uncounted=1), ("grace", "held")),
        ],
    ),
    Row(
        "where no utterance is asked for a hold ends by the clock",
        TIMING,
        [
            (2.0, FULL, ("hold", "target reached")),
            (22.0, replace(FULL, uncounted=5), ("grace", "held")),
        ],
    ),
    Row(
        "callers that are there but have not spoken yet keep the ramp going",
        TIMING,
        [(5.0, seen(reached=5, speaking=4), None), (9.0, FULL, ("hold", "target reached"))],
    ),
    Row(
        "callers that begin together need not speak before the hold",
        replace(TIMING, is_together=True),
        [(1.0, seen(reached=5), ("hold", "target reached"))],
    ),
    Row(
        "too many callers, left over from a larger stage, are not the target either",
        TIMING,
        [(1.0, seen(reached=10, speaking=10), None), (2.0, FULL, ("hold", "target reached"))],
    ),
    Row(
        "a target that is not reached opens the hold in the end, and the line says so",
        TIMING,
        [
            (55.4, seen(reached=4, speaking=4), None),
            (55.5, seen(reached=4, speaking=4), ("hold", "target not reached in time")),
        ],
    ),
    *(
        Row(
            sentence,
            TIMING,
            [
                (2.0, FULL, ("hold", "target reached")),
                (22.0, ended, ("grace", "held")),
                (22.1, ended, ("settle", "all ended")),
                (22.2, ended, None),
                (25.2, ended, then),
            ],
            (5, 10),
        )
        for sentence, ended, then in (
            (
                "a server that refuses every caller of the first stage is not asked for more",
                replace(FULL, begun=9, ended=9, refused=9),
                ("done", "every caller of the first stage was refused"),
            ),
            (
                "a server that takes one of them is",
                replace(FULL, begun=9, ended=9, refused=8),
                ("ramp", "next stage"),
            ),
            (
                "nor is a server asked for more that seems to speak another dialect to most of them and ends none well",
                replace(FULL, begun=9, ended=9, other_dialect=5),
                ("done", OTHER_DIALECT),
            ),
            (
                "a server is where one utterance came to a good end",
                replace(FULL, begun=9, ended=9, ok=1, other_dialect=8),
                ("ramp", "next stage"),
            ),
            (
                "a server is where few of them look like another dialect",
                replace(FULL, begun=9, ended=9, other_dialect=4),
                ("ramp", "next stage"),
            ),
        )
    ),
    Row(
        "at least so many counted utterances keep the hold open",
        replace(TIMING, at_least=30),
        [
            (1.0, FULL, ("hold", "target reached")),
            (21.0, replace(FULL, begun=29), None),
            (60.0, replace(FULL, begun=30), ("grace", "held")),
        ],
    ),
    Row(
        "a ramp to which nobody comes ends the run",
        TIMING,
        [(55.4, NOTHING, None), (55.5, NOTHING, ("done", NOBODY_CAME))],
        (5, 10),
    ),
    Row(
        "a hold in which nobody begins ends the run, however many utterances it waits for",
        replace(TIMING, at_least=30, hold_s=600),
        [
            (1.0, FULL, ("hold", "target reached")),
            (55.9, FULL, None),
            (56.0, FULL, ("done", NOBODY_BEGAN)),
        ],
        (5, 10),
    ),
    Row(
        "a hold in which nobody begins any more ends, and what has begun counts",
        replace(TIMING, at_least=30),
        [
            (1.0, FULL, ("hold", "target reached")),
            (50.0, replace(FULL, begun=29), None),
            (104.9, replace(FULL, begun=29, ended=29), None),
            (105.0, replace(FULL, begun=29, ended=29), ("grace", "nobody began any more")),
            (105.1, replace(FULL, begun=29, ended=29), ("settle", "all ended")),
        ],
    ),
    Row(
        "rounds that nobody begins are not waited for",
        replace(TIMING, rounds=50),
        [(1.0, seen(reached=5), ("hold", "target reached")), (56.0, FULL, ("done", NOBODY_BEGAN))],
    ),
    Row(
        "at least so many do not make the hold shorter",
        replace(TIMING, at_least=3),
        [(1.0, FULL, ("hold", "target reached")), (5.0, replace(FULL, begun=30), None)],
    ),
    Row(
        "rounds end the hold when every caller has spoken so often, however long that takes",
        replace(TIMING, rounds=2),
        [
            (1.0, seen(reached=5), ("hold", "target reached")),
            (40.0, replace(FULL, begun=10, ended=9), None),
            (60.0, replace(FULL, begun=10, ended=10), ("grace", "rounds done")),
            (60.1, replace(FULL, begun=10, ended=10), ("settle", "all ended")),
        ],
    ),
    Row(
        "rounds that are not done in time end too",
        replace(TIMING, rounds=2),
        [
            (1.0, seen(reached=5), ("hold", "target reached")),
            (80.9, replace(FULL, begun=9, ended=9), None),
            (81.0, replace(FULL, begun=9, ended=9), ("grace", "rounds not done in time")),
        ],
    ),
    Row(
        "a grace waits for workers that have not reported since the hold: they may have begun more",
        TIMING,
        [
            (1.0, FULL, ("hold", "target reached")),
            (21.0, FULL, ("grace", "held")),
            (22.0, replace(FULL, begun=4, ended=4, is_current=False), None),
            (23.0, replace(FULL, begun=5, ended=4), None),
            (24.0, replace(FULL, begun=5, ended=5), ("settle", "all ended")),
        ],
    ),
    Row(
        "a counted utterance that never ends is given up",
        TIMING,
        [
            (1.0, FULL, ("hold", "target reached")),
            (21.0, FULL, ("grace", "held")),
            (60.9, replace(FULL, begun=5, ended=4), None),
            (61.0, replace(FULL, begun=5, ended=4), ("settle", "not all ended in time")),
        ],
    ),
    Row(
        "calm is counted from the end of the last utterance; one that never ends does not stop the run",
        TIMING,
        [
            (1.0, FULL, ("hold", "target reached")),
            (21.0, FULL, ("grace", "held")),
            (21.1, FULL, ("settle", "all ended")),
            (60.0, replace(FULL, in_flight=1), None),
            (76.2, replace(FULL, in_flight=1), None),
            (79.3, replace(FULL, in_flight=1), ("done", "all stages done")),
        ],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_the_ladder(row: Row) -> None:
    plan = LadderPlan(row.ladder, row.timing)
    assert plan.start(0.0) == Transition(0, Phase.RAMP, 5, "run started")
    for at_s, what, expected in row.steps:
        transition = plan.advance(at_s, what)
        found = None if transition is None else (str(transition.phase), transition.reason)
        assert found == expected, f"at {at_s} s"
    assert plan.is_done == any(phase == "done" for _, _, began in row.steps if began for phase in began[:1])


def test_two_stages_of_the_same_size_are_two_stages_with_calm_between() -> None:
    plan = LadderPlan((5, 5), replace(TIMING, is_together=True))
    begun = [plan.start(0.0)]
    for tick in range(1, 1_000):
        transition = plan.advance(tick / 10, FULL)
        begun += [transition] if transition else []
    assert [(t.stage, str(t.phase), t.users) for t in begun] == [
        (stage, phase, 5) for stage in (0, 1) for phase in ("ramp", "hold", "grace", "settle")
    ] + [(1, "done", 5)]
    assert begun[4].reason == "next stage"


def test_a_smaller_stage_after_a_larger_one_waits_until_the_surplus_has_gone() -> None:
    plan = LadderPlan((10, 5), replace(TIMING, is_together=True))
    plan.start(0.0)
    ten = seen(reached=10)
    phases = [t.phase for tick in range(1, 260) if (t := plan.advance(tick / 10, ten))]
    assert phases == [Phase.HOLD, Phase.GRACE, Phase.SETTLE, Phase.RAMP]
    assert plan.advance(30.0, seen(reached=5)) == Transition(1, Phase.HOLD, 5, "target reached")


def test_a_spike_has_no_calm_around_it_and_lasts_as_long_as_it_was_told_to() -> None:
    plan = SpikePlan((5, 10, 5), TIMING, spike_hold_s=8)
    assert plan.start(0.0) == Transition(0, Phase.RAMP, 5, "run started")
    ten = seen(reached=10, speaking=10)
    steps = [
        (1.0, FULL, Transition(0, Phase.HOLD, 5, "target reached")),
        (21.0, replace(FULL, begun=9, ended=7), Transition(0, Phase.GRACE, 5, "held")),
        (22.0, replace(FULL, begun=9, ended=8), None),
        (23.0, replace(FULL, begun=9, ended=9, in_flight=5), Transition(1, Phase.RAMP, 10, "next stage")),
        (25.0, ten, Transition(1, Phase.HOLD, 10, "target reached")),
        (32.9, replace(ten, begun=15, ended=0), None),
        (33.0, replace(ten, begun=15, ended=0), Transition(2, Phase.RAMP, 5, "next stage")),
        (34.0, replace(FULL, in_flight=12), Transition(2, Phase.HOLD, 5, "target reached")),
        (54.0, replace(FULL, begun=9, ended=7), Transition(2, Phase.GRACE, 5, "held")),
        (55.0, replace(FULL, begun=9, ended=9), Transition(2, Phase.SETTLE, 5, "all ended")),
        (58.1, replace(FULL, begun=9, ended=9), None),
        (61.2, replace(FULL, begun=9, ended=9), Transition(2, Phase.DONE, 5, "all stages done")),
    ]
    for at_s, what, expected in steps:
        assert plan.advance(at_s, what) == expected, f"at {at_s} s"


def test_no_spike_comes_upon_a_server_that_refuses_the_few() -> None:
    plan = SpikePlan((5, 10, 5), TIMING, spike_hold_s=8)
    plan.start(0.0)
    refused = replace(FULL, begun=9, ended=9, refused=9)
    plan.advance(1.0, FULL)
    plan.advance(21.0, refused)
    assert plan.advance(22.0, refused) == Transition(0, Phase.DONE, 5, ALL_REFUSED)


def test_a_stopped_run_is_done_and_stays_so() -> None:
    plan = LadderPlan((5,), TIMING)
    plan.start(0.0)
    assert plan.stop(1.0, "aborted") == Transition(0, Phase.DONE, 5, "aborted")
    assert plan.is_done
    assert plan.advance(99.0, FULL) is None


def test_time_left_is_told_where_the_clock_ends_the_phase() -> None:
    plan = LadderPlan((5,), TIMING)
    plan.start(0.0)
    assert plan.remaining_s(0.5) is None
    plan.advance(1.0, FULL)
    assert plan.remaining_s(6.0) == 15.0
    assert plan.remaining_s(50.0) == 0.0
    plan.advance(21.0, FULL)
    assert plan.remaining_s(22.0) is None
    plan.advance(23.0, FULL)
    assert plan.remaining_s(23.0) is None
    plan.advance(24.0, FULL)
    assert plan.remaining_s(25.0) == 2.0


# For any sequence of what is seen ----------------------------------------------------------------------------

LEGAL = {
    Phase.RAMP: {Phase.HOLD, Phase.DONE},
    Phase.HOLD: {Phase.GRACE, Phase.DONE},
    Phase.GRACE: {Phase.SETTLE},
    Phase.SETTLE: {Phase.RAMP, Phase.DONE},
    Phase.DONE: set(),
}

counts = st.integers(0, 60)
sights = st.builds(
    Observation,
    reached=counts,
    speaking=counts,
    begun=counts,
    ended=counts,
    in_flight=counts,
    is_current=st.booleans(),
    target=counts,
)
timings = st.builds(
    Timing,
    hold_s=st.floats(0.1, 100),
    settle_s=st.floats(0, 10),
    ramp_rate=st.floats(0.5, 100),
    utterance_limit_s=st.floats(1, 60),
    at_least=st.integers(0, 60),
    rounds=st.none() | st.integers(1, 3),
    is_together=st.booleans(),
)
ladders = st.lists(st.integers(1, 40), min_size=1, max_size=4)


@given(ladder=ladders, timing=timings, steps=st.lists(st.tuples(st.floats(0, 30), sights), max_size=60))
def test_phases_follow_each_other_in_order_whatever_is_seen(
    ladder: list[int], timing: Timing, steps: list[tuple[float, Observation]]
) -> None:
    plan = LadderPlan(ladder, timing)
    before, now_s = plan.start(0.0), 0.0
    for wait_s, what in steps:
        now_s += wait_s
        transition = plan.advance(now_s, what)
        if transition is None:
            continue
        assert transition.phase in LEGAL[before.phase]
        assert transition.stage == before.stage + (transition.phase is Phase.RAMP)
        assert transition.users == ladder[transition.stage]
        assert transition.reason
        before = transition


@given(ladder=ladders, timing=timings, what=sights)
def test_every_run_ends_in_time_even_if_nothing_ever_changes(
    ladder: list[int], timing: Timing, what: Observation
) -> None:
    plan = LadderPlan(ladder, timing)
    plan.start(0.0)
    stage_limit_s = (
        (max(ladder) / timing.ramp_rate + timing.utterance_limit_s + timing.slack_s)
        + max(timing.hold_s, timing.idle_limit_s, (timing.rounds or 0) * timing.utterance_limit_s)
        + timing.utterance_limit_s
        + timing.idle_limit_s
        + timing.settle_s
        + 5  # one look a phase
    )
    for second in range(1, int(len(ladder) * stage_limit_s) + 2):
        plan.advance(float(second), what)
    assert plan.is_done


# Following somebody who drags the number of callers ---------------------------------------------------------


def test_each_change_of_the_target_opens_a_stage() -> None:
    plan = FollowPlan(5)
    script = [
        (0, 5, None),
        (5, 5, (0, "hold", 5, "target reached")),
        (5, 5, None),
        (5, 10, (1, "ramp", 10, "user count changed")),
        (7, 10, None),
        (7, 3, (2, "ramp", 3, "user count changed")),
        (4, 3, None),
        (3, 3, (2, "hold", 3, "target reached")),
    ]
    assert plan.start(0.0) == Transition(0, Phase.RAMP, 5, "run started")
    for reached, target, expected in script:
        transition = plan.advance(0.0, seen(reached=reached, target=target))
        found = transition and (transition.stage, str(transition.phase), transition.users, transition.reason)
        assert found == expected
    assert plan.users == 3
    assert plan.remaining_s(0.0) is None
    assert not plan.is_done


def test_a_hold_waits_for_those_who_have_left_and_still_speak() -> None:
    plan = FollowPlan(5)
    plan.start(0.0)
    plan.advance(1.0, seen(reached=5, target=5, in_flight=5))
    plan.advance(2.0, seen(reached=3, target=3, in_flight=5))
    assert plan.advance(3.0, seen(reached=3, target=3, in_flight=4)) is None
    assert plan.advance(4.0, seen(reached=3, target=3, in_flight=3)) == Transition(1, Phase.HOLD, 3, "target reached")


def test_nobody_is_a_calm_and_no_stage_with_a_hold() -> None:
    plan = FollowPlan(5)
    plan.start(0.0)
    plan.advance(1.0, seen(reached=5, target=5))
    assert plan.advance(2.0, seen(reached=5, target=0)) == Transition(1, Phase.SETTLE, 0, NOBODY)
    for reached in (3, 0, 0):
        assert plan.advance(3.0, seen(reached=reached, target=0)) is None
    assert plan.advance(4.0, seen(reached=0, target=2)) == Transition(2, Phase.RAMP, 2, "user count changed")
    assert plan.advance(5.0, seen(reached=2, target=2)) == Transition(2, Phase.HOLD, 2, "target reached")


def test_following_ends_when_it_is_stopped_and_not_before() -> None:
    plan = FollowPlan(5)
    plan.start(0.0)
    plan.advance(1.0, seen(reached=5, target=5))
    assert plan.advance(1e6, seen(reached=5, target=5)) is None
    assert plan.stop(1e6, "stopped") == Transition(0, Phase.DONE, 5, "stopped")
    assert plan.is_done
    assert plan.advance(1e6, seen(reached=5, target=7)) is None

"""Who speaks when, what they speak, and the rows they leave. Greenlets are real, the server is scripted."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator

import gevent
import pytest
from scripted_callers import CLIP_S, TEXTS, ScriptedAttempt, callers, settle, update

from stt_load.errors import Outcome
from stt_load.records import Measured
from stt_load.run.caller_pool import PAUSE_AFTER_FAILURE_S
from stt_load.run.plan import Phase


@pytest.fixture(autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


# Whose turn it is ---------------------------------------------------------------------------------------------------

RANDOM = {Phase.RAMP, Phase.HOLD, Phase.GRACE}
SPEAK_IN: list[tuple[dict[str, str], set[Phase]]] = [
    ({}, RANDOM),
    ({"arrival": "together"}, {Phase.HOLD, Phase.GRACE}),
    ({"rounds": "1"}, {Phase.HOLD}),
]


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize(("options", "phases"), SPEAK_IN, ids=["random arrival", "together", "rounds"])
def test_callers_speak_in_these_phases_and_in_no_other(
    options: dict[str, str], phases: set[Phase], phase: Phase
) -> None:
    with callers(**options) as made:
        made.come(2)
        made.apply(update(phase))
        assert made.speaking == ({0, 1} if phase in phases else set())


def test_nobody_speaks_before_the_master_has_said_where_the_run_is() -> None:
    with callers() as made:
        made.come(2)
        assert made.speaking == set()
        assert made.n_begun == 0


def test_callers_of_a_worker_that_came_late_speak_at_once() -> None:
    with callers(newest=update(Phase.GRACE)) as made:
        made.come()
        assert made.speaking == {0}


def test_an_older_update_and_one_of_another_run_change_nothing() -> None:
    with callers() as made:
        made.apply(update(Phase.SETTLE, seq=7))
        made.come()
        made.apply(update(Phase.HOLD, seq=6))
        made.apply(type(update())("another run", 8, 0, Phase.HOLD, 2, ("w0",)))
        assert made.speaking == set()


def test_every_caller_speaks_its_rounds_once_a_stage() -> None:
    with callers(rounds="2", at_once=Outcome.OK) as made:
        made.come(3)
        for stage in range(2):
            made.apply(update(Phase.RAMP, stage, seq=3 * stage))
            made.apply(update(Phase.HOLD, stage, seq=3 * stage + 1))
            made.apply(update(Phase.GRACE, stage, seq=3 * stage + 2))
    spoken = Counter((row.stage, row.user) for row in made.rows())
    assert spoken == {(stage, user): 2 for stage in range(2) for user in range(3)}


def test_who_has_waited_arrives_at_a_random_moment_of_a_clips_length_and_speaks_on_without_one() -> None:
    with callers(pause="0s") as made:
        made.apply(update(Phase.RAMP))
        made.come(4)
        delays_s = list(made.sleeps_s)
        assert len(set(delays_s)) == 4
        assert all(0.0 <= delay_s <= CLIP_S for delay_s in delays_s)
        for _ in range(3):
            made.answer(0)
        assert made.sleeps_s == delays_s
        made.apply(update(Phase.SETTLE, seq=2))
        made.answer(0)
        made.apply(update(Phase.RAMP, stage=1, seq=3))
        assert len(made.sleeps_s) == 5, "it has waited again"


def test_callers_that_begin_together_do_not_wait_for_a_random_moment() -> None:
    with callers(arrival="together") as made:
        made.come(4)
        made.apply(update(Phase.HOLD))
        assert made.sleeps_s == [0.0] * 4
        assert all(attempt.is_together for attempt in made.workload.attempts)


def test_who_has_to_wait_closes_its_connection() -> None:
    with callers() as made:
        made.apply(update(Phase.HOLD))
        made.come()
        made.answer()
        assert made.workload.closed == []
        made.apply(update(Phase.SETTLE, seq=2))
        made.answer()
        assert made.workload.closed == [0]


# Pauses -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "pause", "low_s", "high_s"),
    [
        (Outcome.OK, "3s", 3.0, 3.0),
        (Outcome.OK, "2s..4s", 2.0, 4.0),
        (Outcome.REFUSED, "0s", PAUSE_AFTER_FAILURE_S, PAUSE_AFTER_FAILURE_S),
        (Outcome.TIMED_OUT, "3s", 3.0, 3.0),
    ],
)
def test_the_pause_after_an_utterance(outcome: Outcome, pause: str, low_s: float, high_s: float) -> None:
    with callers(pause=pause, arrival="together") as made:
        made.apply(update(Phase.HOLD))
        made.come()
        made.sleeps_s.clear()
        made.answer(0, outcome)
        (pause_s,) = made.sleeps_s
        assert low_s <= pause_s <= high_s


def test_after_a_good_utterance_without_a_pause_the_next_one_follows_at_once() -> None:
    with callers(pause="0s", arrival="together") as made:
        made.apply(update(Phase.HOLD))
        made.come()
        made.sleeps_s.clear()
        made.answer()
        assert made.sleeps_s == []
        assert made.n_begun == 2


# Rows ---------------------------------------------------------------------------------------------------------------


def test_a_row_says_who_spoke_what_in_which_stage() -> None:
    with callers() as made:
        made.apply(update(Phase.HOLD, stage=2, users=7))
        made.come()
        assert made.report.snapshot(None, 0.0).in_flight == 1
        made.answer()
        (row,) = made.rows()
    assert (row.run_id, row.worker, row.user, row.stage, row.phase, row.users) == ("run", 3, 0, 2, "hold", 7)
    assert (row.outcome, row.clip_reused) == ("ok", False)
    assert row.reference == TEXTS[int(row.clip_id.removeprefix("clip-"))] == row.text
    assert made.ended == [row]


def test_an_utterance_counts_for_the_phase_in_which_it_began() -> None:
    with callers(pause="0s") as made:
        made.apply(update(Phase.RAMP, users=1))
        made.come()
        made.apply(update(Phase.HOLD, users=1, seq=2))
        assert made.report.snapshot(None, 0.0).begun == 0
        made.answer()
        assert made.report.snapshot(None, 0.0).begun == 1
        made.apply(update(Phase.GRACE, users=1, seq=3))
        made.answer()
        assert [row.phase for row in made.rows()] == ["ramp", "hold"]
        assert made.report.snapshot(None, 0.0).begun == 1


def test_every_hold_begins_with_the_same_clips_and_a_ramp_leaves_them_free() -> None:
    with callers(arrival="together", pause="0s", at_once=Outcome.OK) as made:
        made.come()
        firsts = []
        for stage in range(2):
            made.apply(update(Phase.HOLD, stage, seq=10 * stage + 1))
            made.apply(update(Phase.SETTLE, stage, seq=10 * stage + 2))
            firsts.append([row.clip_id for row in made.rows()][:4])
    assert firsts[0] == firsts[1]
    assert len(set(firsts[0])) == 4
    with callers() as made:
        made.apply(update(Phase.RAMP))
        made.come()
        assert made.workload.attempts[0].clip.clip_id == firsts[0][-1]


@pytest.mark.parametrize("is_late", [False, True], ids=["there before", "came later"])
def test_workers_share_the_clips_by_their_places_in_the_roster(is_late: bool) -> None:
    hold, spoken = update(Phase.HOLD, roster=("w0", "w1")), []
    for client_id in ("w0", "w1"):
        with callers(client_id=client_id, newest=hold if is_late else None) as made:
            made.apply(hold)
            made.come(2)
            spoken.append({attempt.clip.clip_id for attempt in made.workload.attempts})
    assert len(spoken[0] | spoken[1]) == 4


def test_a_clip_that_has_to_be_shared_is_marked() -> None:
    with callers() as made:
        made.apply(update(Phase.HOLD))
        made.come(5)
        for user in range(5):
            made.answer(user)
        assert [row.clip_reused for row in made.rows()] == [False] * 4 + [True]


# The end ------------------------------------------------------------------------------------------------------------


def test_a_drain_lets_utterances_end_and_none_begin() -> None:
    with callers(pause="0s") as made:
        made.apply(update(Phase.HOLD))
        made.come(2)
        draining = gevent.spawn(made.pool.drain, False, 60.0)
        settle()
        assert not draining.ready()
        made.answer(0)
        made.answer(1)
        draining.get()
        assert [row.outcome for row in made.rows()] == ["ok", "ok"]
        made.apply(update(Phase.HOLD, stage=1, seq=2))
        assert (made.speaking, made.n_begun) == (set(), 2)


@pytest.mark.parametrize(("is_cut", "limit_s"), [(True, 60.0), (False, 0.0)], ids=["cut", "too late"])
def test_what_is_cut_leaves_a_row_that_says_so_and_no_request(is_cut: bool, limit_s: float) -> None:
    with callers() as made:
        made.apply(update(Phase.HOLD))
        made.come(2)
        made.pool.drain(is_cut, limit_s)
        assert made.speaking == set()
        rows = made.rows()
        assert [(row.outcome, row.error) for row in rows] == [("interrupted", "the run ended first")] * 2
        assert made.ended == []
        assert made.report.snapshot(None, 0.0).total == 2
        settle()
        assert sorted(made.workload.closed) == [0, 1]


def test_a_caller_that_locust_stops_leaves_its_row_and_its_clip() -> None:
    with callers() as made:
        made.apply(update(Phase.HOLD))
        made.come(4)
        made.leave(0)
        assert made.speaking == {1, 2, 3}
        assert [row.outcome for row in made.rows()] == ["interrupted"]
        assert made.workload.closed == [0]
        made.come()
        made.answer(4)
        assert not made.rows()[0].clip_reused, "its clip was free again"


def test_who_leaves_a_run_without_a_ladder_ends_its_utterance_first() -> None:
    with callers(finishes_leaving=True, pause="0s") as made:
        made.apply(update(Phase.HOLD))
        made.come(2)
        made.answer(0)
        assert (made.speaking, len(made.rows())) == ({0, 1}, 1)
        made.leave(0)
        assert (made.speaking, made.rows(), made.workload.closed) == ({0, 1}, [], [])
        made.answer(0)
        assert (made.speaking, [row.outcome for row in made.rows()], made.workload.closed) == ({1}, ["ok"], [0])
        assert made.n_begun == 3, "and begins no other"


def test_locust_still_knows_the_users_whose_utterances_were_cut() -> None:
    """It stops them by the arguments of their greenlets; those that it does not know would stay for ever."""
    with callers(newest=update()) as made:
        made.come(2)
        made.pool.drain(is_cut=True, limit_s=60.0)
        settle()
        assert [row.outcome for row in made.rows()] == [Outcome.INTERRUPTED] * 2
        assert [(len(user.args), user.dead) for user in made._greenlets] == [(1, False)] * 2


def test_an_utterance_that_ends_before_it_is_cut_ends_well() -> None:
    with callers(newest=update()) as made:
        made.come()
        (speaking,) = made.report.active.values()
        made.workload.attempts[0].answer()  # of which its caller hears in a moment
        speaking.cut()
        settle()
        assert [row.outcome for row in made.rows()] == [Outcome.OK]
        assert not made._greenlets[0].dead


def test_the_end_of_a_run_cuts_those_that_are_leaving_too(capfd: pytest.CaptureFixture[str]) -> None:
    with callers(finishes_leaving=True) as made:
        made.apply(update(Phase.HOLD))
        made.come(2)
        made.leave(0)
        made.pool.drain(True, 60.0)
        settle()
        assert [(row.outcome, row.error) for row in made.rows()] == [("interrupted", "the run ended first")] * 2
        assert sorted(made.workload.closed) == [0, 1]
    assert "Traceback" not in capfd.readouterr().err


def test_a_mistake_of_ours_reaches_locust_whoever_speaks() -> None:
    with callers(finishes_leaving=True) as made:
        made.apply(update(Phase.HOLD))
        caller = made.pool.new_caller()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(made.workload, "new_attempt", lambda *_: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                made.pool.take_turn(caller)


def test_what_crashed_is_a_failure_of_the_load_generator_and_no_hot_loop() -> None:
    def crash() -> Measured:
        raise RuntimeError("can't start new thread")

    with callers() as made:
        made.apply(update(Phase.HOLD))
        caller = made.pool.new_caller()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ScriptedAttempt, "run", lambda attempt: crash())
            with pytest.raises(RuntimeError):
                made.pool.take_turn(caller)
        (row,) = made.rows()
        assert (row.outcome, row.is_own_fault) == ("interrupted", True)
        assert row.error is not None and row.error.startswith(
            "the load generator failed: RuntimeError: can't start new"
        )
        assert made.sleeps_s[-1] == PAUSE_AFTER_FAILURE_S
        assert made.ended == []


def test_the_cpu_of_this_process_is_a_share_of_a_core_or_not_known_yet() -> None:
    with callers() as made:
        assert made.pool.snapshot().cpu_pct is None
        made.pool._cpu_asked = (time.monotonic() - 2.0, time.process_time() - 1.0)
        cpu_pct = made.pool.snapshot().cpu_pct
        assert cpu_pct == pytest.approx(50.0, abs=25.0)


# Who never speaks --------------------------------------------------------------------------------------------------


def test_every_second_caller_sends_silence_where_half_of_them_never_speak() -> None:
    with callers(rounds="2", at_once=Outcome.OK, silence_callers="50%") as made:
        made.come(4)
        made.apply(update(Phase.HOLD))
    rows = made.rows()
    assert {row.user for row in rows if row.is_silent} == {1, 3}
    assert all(row.clip_id.endswith("+silence") == row.is_silent for row in rows)
    assert len(rows) == 8


def test_over_several_workers_as_many_callers_are_silent_as_on_one() -> None:
    silent = set()
    for worker in ("w0", "w1"):
        with callers(client_id=worker, rounds="1", at_once=Outcome.OK, silence_callers="25%") as made:
            made.apply(update(Phase.RAMP, seq=1, roster=("w0", "w1")))
            made.come(4)
            made.apply(update(Phase.HOLD, seq=2, roster=("w0", "w1")))
        silent |= {(worker, row.user) for row in made.rows() if row.is_silent}
    assert len(silent) == 2, "of eight callers"

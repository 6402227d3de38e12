"""The calls of workers under a clock that stands still until the test moves it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile

import gevent
import pytest
from gevent.event import Event
from scripted_callers import CLIPS, ScriptedWorkload, settle

from stt_load.capacity.arrivals import CallLoad, PlannedCall
from stt_load.config import parse_options
from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.run.caller_pool import CallerPool
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.switchboard import Switchboard
from stt_load.run.worker_report import WorkerReport

LOAD = CallLoad("60/min", 1.0, 4.0, 10.0, 5, 0)


class StoppedClock:
    """A clock that moves from one sleeper's time to the next when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self._sleepers: list[tuple[float, Event]] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        woken = Event()
        self._sleepers.append((self.now_s + seconds, woken))
        woken.wait()

    def move(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        settle()
        while due := sorted((at_s, id(woken), woken) for at_s, woken in self._sleepers if at_s <= until_s):
            at_s, _, woken = due[0]
            self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[1] is not woken]
            self.now_s = max(self.now_s, at_s)
            woken.set()
            settle()
        self.now_s = until_s

    @property
    def has_sleepers(self) -> bool:
        return bool(self._sleepers)

    def jump(self, seconds: float) -> None:
        """The process stands still for so long, and comes to itself."""
        self.now_s += seconds
        self.move(0.0)


class Worker:
    """One load process: its callers, its calls, and the rows that they leave."""

    def __init__(self, clock: StoppedClock, client_id: str = "w0", at_once: Outcome | None = Outcome.OK) -> None:
        self.workload = ScriptedWorkload(at_once)
        self.report = WorkerReport("run")
        config = parse_options({"dialect": "vosk", "seed": "5", "arrivals": "60/min", "call": "4s", "pause": "1s"})
        self.pool = CallerPool(
            config, CLIPS, self.workload, self.report, client_id, 0, lambda record: None, clock.sleep
        )
        # The pool's own switchboard goes by the real clock.
        self.pool._switchboard = Switchboard(self.pool, client_id, clock.sleep, clock)
        self._seq = 0

    def hear(self, phase: Phase, workers: tuple[str, ...] = ("w0",), stage: int = 0) -> None:
        self._seq += 1
        self.pool.apply(StageUpdate("run", self._seq, stage, phase, 4, workers, LOAD, workers))

    def rows(self) -> list[UtteranceRecord]:
        return [UtteranceRecord.from_json(self.report.pop()) for _ in range(self.report.n_waiting)]


@contextmanager
def stopped_clock() -> Iterator[StoppedClock]:
    with gevent.Timeout(60):
        yield StoppedClock()


def due(until_s: float) -> list[PlannedCall]:
    return list(takewhile(lambda call: call.at_s < until_s, LOAD.calls()))


def begun(rows: list[UtteranceRecord]) -> list[int | None]:
    return [row.call for row in rows if row.call_utterance == 0]


def test_each_call_of_the_schedule_begins_once_when_it_is_due() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock)
        worker.hear(Phase.RAMP)
        for second in range(1, 31):
            clock.move(1.0)
            assert len(due(second)) - 1 <= worker.report.total
        rows = worker.rows()
        assert begun(rows) == [call.ordinal for call in due(30.0)]
        assert max(row.call_late_s or 0.0 for row in rows if row.call_utterance == 0) < 1e-9
        assert {row.call_late_s for row in rows if row.call_utterance} == {None}


@pytest.mark.parametrize("n_workers", [1, 2, 3, 5])
def test_any_number_of_workers_plays_the_same_schedule_and_no_call_twice(n_workers: int) -> None:
    with stopped_clock() as clock:
        names = tuple(f"w{n}" for n in range(n_workers))
        workers = [Worker(clock, name) for name in names]
        for worker in workers:
            worker.hear(Phase.RAMP, names)
        clock.move(40.0)
        shares = [begun(worker.rows()) for worker in workers]
        assert sorted(call for share in shares for call in share if call is not None) == list(range(len(due(40.0))))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_worker_that_is_lost_takes_its_calls_with_it_and_one_that_joins_plays_none() -> None:
    with stopped_clock() as clock:
        stays, joins = Worker(clock, "w0"), Worker(clock, "w9")
        stays.hear(Phase.RAMP, ("w0", "w1"))
        clock.move(10.0)
        stays._seq += 1
        stays.pool.apply(StageUpdate("run", stays._seq, 0, Phase.HOLD, 4, ("w0", "w9"), LOAD, ("w0", "w1")))
        joins.pool.apply(StageUpdate("run", 1, 0, Phase.HOLD, 4, ("w0", "w9"), LOAD, ("w0", "w1")))
        clock.move(10.0)
        assert begun(stays.rows()) == [call.ordinal for call in due(20.0) if call.ordinal % 2 == 0]
        assert joins.rows() == []


def test_a_server_that_answers_nobody_does_not_hold_up_a_single_call() -> None:
    """Callers whom it keeps waiting stay on the line; in a closed loop no more would come."""
    with stopped_clock() as clock:
        worker = Worker(clock, at_once=None)
        worker.hear(Phase.RAMP)
        clock.move(30.0)
        assert len(worker.workload.attempts) == len(due(30.0)) == worker.report.calls
        for attempt in worker.workload.attempts:
            attempt.answer()
        settle()
        clock.move(60.0)
        assert begun(worker.rows())[: len(due(30.0))] == [call.ordinal for call in due(30.0)]


def test_a_caller_speaks_over_one_connection_until_the_call_is_over_and_hangs_up() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock)
        worker.hear(Phase.RAMP)
        clock.move(60.0)
        worker.hear(Phase.SETTLE)
        clock.move(10.0)
        by_call: dict[int | None, list[UtteranceRecord]] = {}
        for row in worker.rows():
            by_call.setdefault(row.call, []).append(row)
        for call in due(50.0):
            # Utterances take no time here and the pause a second: one begins at each whole second of the call, but for
            # a pause that would outlast it.
            rows = by_call[call.ordinal]
            assert [row.call_utterance for row in rows] == list(range(max(1, int(call.length_s - 1e-9) + 1)))
        assert len(worker.workload.closed) == len(by_call), "each call has closed its one connection"
        assert worker.report.calls == 0


def test_who_is_refused_hangs_up_and_does_not_try_again() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock, at_once=Outcome.REFUSED)
        worker.hear(Phase.RAMP)
        clock.move(30.0)
        rows = worker.rows()
        assert [row.call for row in rows] == [call.ordinal for call in due(30.0)]
        assert worker.report.calls == 0


def test_who_is_cut_off_in_a_call_tries_again_after_a_while() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock, at_once=Outcome.DISCONNECTED)
        worker.hear(Phase.RAMP)
        clock.move(30.0)
        (longest,) = sorted(due(10.0), key=lambda call: call.length_s)[-1:]
        assert len([row for row in worker.rows() if row.call == longest.ordinal]) > 1


def test_a_process_that_stood_still_begins_late_calls_late_and_leaves_out_those_of_more_than_a_second() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock)
        worker.hear(Phase.RAMP)
        clock.move(20.0)
        before = len(due(20.0))
        clock.jump(10.0)
        clock.move(10.0)
        rows = [row for row in worker.rows() if row.call_utterance == 0 and (row.call or 0) >= before]
        missed = [call.ordinal for call in due(29.0) if call.ordinal >= before]
        assert len(missed) > 3
        assert not set(missed) & {row.call for row in rows}
        late = {row.call: row.call_late_s for row in rows}
        for call in due(30.0):
            if call.at_s >= 29.0:
                assert late[call.ordinal] == pytest.approx(30.0 - call.at_s)
        assert {row.call for row in rows} == {call.ordinal for call in due(40.0) if call.at_s >= 29.0}


def test_no_call_begins_in_a_settle_and_those_on_the_line_end_their_utterance() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock, at_once=None)
        worker.hear(Phase.RAMP)
        clock.move(5.0)
        n = len(worker.workload.attempts)
        worker.hear(Phase.GRACE)
        clock.move(5.0)
        more = len(worker.workload.attempts)
        assert more > n, "the load goes on in the grace"
        worker.hear(Phase.SETTLE)
        clock.move(30.0)
        assert len(worker.workload.attempts) == more == worker.report.calls
        for attempt in worker.workload.attempts:
            attempt.answer()
        settle()
        clock.move(5.0)
        assert worker.report.calls == 0
        assert len(worker.rows()) == more


def test_a_run_that_ends_cuts_calls_and_their_rows_say_so() -> None:
    with stopped_clock() as clock:
        worker = Worker(clock, at_once=None)
        worker.hear(Phase.RAMP)
        clock.move(5.0)
        n = len(worker.workload.attempts)
        worker.pool.drain(is_cut=True, limit_s=1.0)
        assert {row.outcome for row in worker.rows()} == {"interrupted"}
        assert worker.report.calls == 0 and n > 0
        clock.move(5.0)
        assert len(worker.workload.attempts) == n
        assert not clock.has_sleepers, "nobody waits for the next call"


def test_the_garbage_of_a_stage_is_collected_before_its_calls_begin_and_not_when_they_do() -> None:
    """It takes up to a second, by which every call of the stage would come later than the report expects it."""
    full: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            full.append(phase)

    with stopped_clock() as clock:
        worker = Worker(clock)
        gc.callbacks.append(note)
        try:
            worker.hear(Phase.RAMP, workers=())
            assert len(full) == 1
            worker.hear(Phase.RAMP)
            assert len(full) == 1
        finally:
            gc.callbacks.remove(note)

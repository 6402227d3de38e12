"""The calls of one worker in an open loop: each begins when it is due, in a greenlet of its own.

schedule of the stage ──▶ is it this worker's? ──▶ wait until it is due ──▶ a caller dials, speaks one utterance after
the other over one connection, and hangs up when its time is over

Nothing here waits for the server. A caller whom it keeps waiting stays on the line, and the next call begins all the
same, with another caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import gevent

from stt_load.capacity.arrivals import CallLoad, PlannedCall
from stt_load.clock import Clock
from stt_load.errors import Outcome
from stt_load.process.log import log
from stt_load.records import UtteranceRecord
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport
from stt_load.workloads.workload import Caller, CallInProgress

LATE_CALL_LIMIT_S = 1.0
"""A call that can't begin within so long is not made, and the report counts it: a crowd of late calls at once would be
another load than the one that was asked for."""


class Callers(Protocol):
    """What a switchboard needs of the pool of callers."""

    report: WorkerReport

    def new_caller(self) -> Caller: ...

    def next_utterance(self, caller: Caller) -> tuple[UtteranceRecord, float] | None: ...


class Switchboard:
    """Begins this worker's share of the calls of each stage. `client_id`: the worker's, by which it finds its place
    among those that share the calls."""

    def __init__(
        self,
        callers: Callers,
        client_id: str,
        sleep: Callable[[float], object] = gevent.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self._callers = callers
        self._client_id = client_id
        self._sleep = sleep
        self._clock = clock
        self._stage = -1  # whose calls have begun
        self._idle: list[Caller] = []
        self._dialling: gevent.Greenlet[..., None] | None = None
        self._has_warned = False
        callers.report.calls = 0

    def follow(self, update: StageUpdate) -> None:
        """A phase begins. Calls come from the moment at which they are opened until the settle."""
        if update.phase in (Phase.SETTLE, Phase.DONE):
            self.stop()
        elif update.load is not None and self._client_id in update.call_workers and update.stage != self._stage:
            self.stop()
            self._stage = update.stage
            place, sharing = update.call_workers.index(self._client_id), len(update.call_workers)
            self._dialling = gevent.spawn(self._dial, update.load, place, sharing, self._clock())

    def stop(self) -> None:
        """No call begins any more until the next stage."""
        if self._dialling is not None:
            self._dialling.kill(block=False)
            self._dialling = None

    def _dial(self, load: CallLoad, place: int, sharing: int, began_s: float) -> None:
        """Begins each call of this worker when it is due. Every `sharing`th call of the schedule is its own."""
        for call in load.calls():
            if call.ordinal % sharing != place:
                continue
            due_s = began_s + call.at_s
            wait_s = due_s - self._clock()
            if wait_s > 0:
                self._sleep(wait_s)
            gevent.spawn(self._play, call, due_s)

    def _play(self, planned: PlannedCall, due_s: float) -> None:
        """One call, from dialling to hanging up. One that is too late is left out: the report misses its row."""
        late_s = max(0.0, self._clock() - due_s)
        if late_s > LATE_CALL_LIMIT_S:
            self._warn_once(late_s)
            return
        caller = self._idle.pop() if self._idle else self._callers.new_caller()
        caller.call = CallInProgress(planned.ordinal, late_s)
        report = self._callers.report
        report.calls = (report.calls or 0) + 1
        try:
            self._talk(caller, self._clock() + planned.length_s)
        except Exception as error:  # its row has it; of thousands of calls each would print the same traceback
            log.debug("a call failed", exc_info=error)
        finally:
            caller.disconnect()
            report.calls -= 1
            self._idle.append(caller)

    def _warn_once(self, late_s: float) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("this load process was too late for a call, by %.1f s: the report counts such calls", late_s)

    def _talk(self, caller: Caller, until_s: float) -> None:
        """One utterance after the other. Who is refused hangs up and does not try again; who is in the middle of an
        utterance when the time is over ends it; who would pause until then hangs up at once."""
        while (spoken := self._callers.next_utterance(caller)) is not None:
            record, pause_s = spoken
            if record.outcome == Outcome.REFUSED or self._clock() + pause_s >= until_s:
                return
            if pause_s > 0:
                self._sleep(pause_s)

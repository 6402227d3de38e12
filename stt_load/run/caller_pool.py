"""One worker's callers: whose turn it is, what they speak, and the rows they leave.

stage update ──▶ may it speak? ──▶ clip from the pool ──▶ one utterance ──▶ row in the report ──▶ pause ──▶ may it …
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import gevent
from gevent.event import Event as GeventEvent

from stt_load.audio.clip import Clip
from stt_load.audio.pool import ClipPool
from stt_load.audio.silence import is_silent_caller
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.errors import Outcome
from stt_load.records import Utterance, UtteranceRecord
from stt_load.run.fault import fault_line
from stt_load.run.gc_control import CALLERS_AT_ONCE, UTTERANCES_AT_ONCE, collect_all, collect_young, freeze
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.switchboard import Switchboard
from stt_load.run.worker_report import ReportMessage, Snapshot, WorkerReport
from stt_load.workloads.workload import Attempt, Caller, Workload

# A caller whom the server turns away at once doesn't hammer it: it waits as long as a person would at least.
PAUSE_AFTER_FAILURE_S = 1.0
_CPU_PERIOD_S = 1.0


class UtteranceCut(BaseException):
    """Thrown into a caller's greenlet: the run ends now. No `Exception`, so that nothing takes it for a fault."""


@dataclass(slots=True)
class SpeakingCaller:
    """A caller in the middle of an utterance: what it tries, and the greenlet that does. `is_over`: it has ended."""

    attempt: Attempt
    greenlet: gevent.Greenlet[..., object]
    is_over: bool = False

    @property
    def state(self) -> str:
        return self.attempt.state

    def cut(self) -> None:
        # Not by `kill`: it takes the arguments of the greenlet, by which Locust knows its user when it stops it.
        gevent.get_hub().loop.run_callback(self._throw)

    def _throw(self) -> None:
        if not (self.is_over or self.greenlet.dead):
            self.greenlet.throw(UtteranceCut)


class CallerPool:
    """The callers of one worker process in one run.

    `workload`: what they do when it is their turn. `report`: the worker's part of the run, which is where the newest
    stage update is kept, and who is speaking. `on_utterance` is called with every ended utterance that was not cut.
    `finishes_leaving`: a caller whom Locust stops in the middle of an utterance ends it first, because somebody lowers
    the number of callers at any moment, and slow utterances would be the first to be cut off.
    """

    def __init__(
        self,
        config: RunConfig,
        clip_set: ClipSet,
        workload: Workload,
        report: WorkerReport,
        client_id: str,
        worker_index: int,
        on_utterance: Callable[[UtteranceRecord], None],
        sleep: Callable[[float], object] = gevent.sleep,
        finishes_leaving: bool = False,
        credentials: Credentials = NO_CREDENTIALS,
    ) -> None:
        self.config = config
        self.report = report
        self._clips = clip_set.clips
        self._silences = clip_set.silences
        self._client_id = client_id
        self._worker_index = worker_index
        self._workload = workload
        self._kind = config.kind.name
        self._on_utterance = on_utterance
        self._credentials = credentials
        self._sleep = sleep
        self._take = self._speak_to_the_end if finishes_leaving else self._speak
        self._mean_clip_s = sum(clip.duration_s for clip in self._clips) / len(self._clips)
        self._place = (0, 1)
        self._clip_pool = ClipPool(self._clips, config.seed, *self._place)
        self._changed = GeventEvent()
        self._is_draining = False
        self._is_paused = False
        self._ordinals = itertools.count()
        self._cpu_asked: tuple[float, float] | None = None  # when, and CPU seconds by then
        self._cpu_pct: float | None = None
        self._switchboard = Switchboard(self, client_id, sleep) if config.arrivals else None
        if report.update is not None:
            self._enter(report.update)

    # the master's word ---------------------------------------------------------------------------------

    def apply(self, update: StageUpdate) -> None:
        """Callers follow this stage update, unless it is no newer than the last one or of another run."""
        if self.report.apply(update):
            self._enter(update)

    def drain(self, is_cut: bool, limit_s: float) -> None:
        """No utterance begins any more; those in flight end (`is_cut`: are cut now). Returns when none is left, or
        after `limit_s` and what cutting the rest takes."""
        self._is_draining = True
        if self._switchboard is not None:
            self._switchboard.stop()
        self._wake()
        if not is_cut:
            self._wait_until_silent(limit_s)
        for caller in list(self.report.active.values()):
            caller.cut()
        self._wait_until_silent(5.0)

    def take_report(self) -> ReportMessage:
        """What the master is owed since the last report."""
        return self.report.take(self._own_cpu_pct(), time.monotonic())

    def snapshot(self) -> Snapshot:
        """The counts for a ledger in this process."""
        return self.report.snapshot(self._own_cpu_pct(), time.monotonic())

    def pause(self) -> None:
        """Cuts the utterances in flight. None begins until `resume`. Returns at once."""
        self._is_paused = True
        for caller in list(self.report.active.values()):
            caller.cut()

    def resume(self) -> None:
        """Callers may speak again, as the newest stage update lets them."""
        if self._is_paused:
            self._is_paused = False
            self._wake()

    # a caller's life -----------------------------------------------------------------------------------

    def new_caller(self) -> Caller:
        ordinal = next(self._ordinals)
        if ordinal % CALLERS_AT_ONCE == 0:
            freeze()
        return Caller(self._worker_index, ordinal, self.config.seed + 7_919 * self._worker_index)

    def take_turn(self, caller: Caller) -> None:
        """One utterance when it is this caller's turn, and the pause after it. In an open loop the switchboard plays
        the calls, and a Locust user has nothing to do but to be there."""
        if self._switchboard is not None:
            self._changed.wait()
            return
        try:
            update = self._wait_for_turn(caller)
            record = self._take(caller, update)
            pause_s = self._pause_s(caller, record)
            if pause_s > 0.0:  # otherwise Locust lets others have their turn between two tasks
                self._sleep(pause_s)
        except UtteranceCut:
            caller.disconnect()
        except Exception:  # Locust prints it, and goes on at once
            caller.disconnect()
            self._sleep(PAUSE_AFTER_FAILURE_S)
            raise
        except BaseException:  # the caller leaves: its greenlet is killed
            caller.disconnect()
            raise

    def next_utterance(self, caller: Caller) -> tuple[UtteranceRecord, float] | None:
        """The next utterance of a call, and the pause that is due behind it; None where none may begin any more, or it
        was cut. Raises what crashed; its row says so too."""
        update = self.report.update
        if update is None or not self._may_speak(caller, update):
            return None
        record = self._speak_or_be_cut(caller, update)
        return None if record is None else (record, self._pause_s(caller, record))

    def _pause_s(self, caller: Caller, record: UtteranceRecord) -> float:
        pause_s = caller.random.uniform(*self.config.pause_s)
        return pause_s if record.is_ok else max(pause_s, PAUSE_AFTER_FAILURE_S)

    def _wait_for_turn(self, caller: Caller) -> StageUpdate:
        while True:
            update, changed = self.report.update, self._changed
            if update is None or not self._may_speak(caller, update):
                caller.has_waited = True
                caller.disconnect()  # may take a while: an update that comes meanwhile sets `changed`
                changed.wait()
            elif caller.has_waited:
                caller.has_waited = False
                self._sleep(self._arrival_delay_s(caller))
            else:
                return update

    def _may_speak(self, caller: Caller, update: StageUpdate) -> bool:
        if caller.stage != update.stage:
            caller.stage, caller.begun_in_stage = update.stage, 0
        if self._is_draining or self._is_paused:
            return False
        if self.config.rounds is not None:
            return update.phase is Phase.HOLD and caller.begun_in_stage < self.config.rounds
        if self._is_together and update.phase is Phase.RAMP:
            return False
        return update.phase in (Phase.RAMP, Phase.HOLD, Phase.GRACE)

    @property
    def _is_together(self) -> bool:
        return self.config.rounds is not None or self.config.arrival == "together"

    def _is_silent(self, caller: Caller) -> bool:
        """Whether this caller is one who never speaks: Locust deals callers out to workers in turn, and calls have
        their number already."""
        worker, workers = self._place
        number = caller.ordinal * workers + worker if caller.call is None else caller.call.ordinal
        return is_silent_caller(number, self.config.silence_ratio)

    def _arrival_delay_s(self, caller: Caller) -> float:
        return 0.0 if self._is_together else caller.random.uniform(0.0, self._mean_clip_s)

    def _speak(self, caller: Caller, update: StageUpdate) -> UtteranceRecord:
        clip_pool = self._clip_pool  # a new stage update may replace it while this caller speaks
        taken, is_reused = clip_pool.take()
        clip = self._silences[taken.clip_id] if self._is_silent(caller) else taken
        utterance = self._new_utterance(caller, update, clip, is_reused)
        attempt = self._workload.new_attempt(caller, clip, self._is_together)
        greenlet = cast("gevent.Greenlet[..., object]", gevent.getcurrent())
        speaking = SpeakingCaller(attempt, greenlet)
        self.report.begin(caller.ordinal, update, clip.clip_id, speaking)
        caller.begun_in_stage += 1
        is_crash = False
        try:
            measured = attempt.run()
        except Exception as error:  # no thread can be started, no memory is left, or a mistake of ours
            is_crash, measured = True, attempt.interrupt(f"the load generator failed: {fault_line(error)}")
            raise
        except BaseException:
            why = "this load worker has lost its master" if self._is_paused else "the run ended first"
            measured = attempt.interrupt(why)
            raise
        finally:
            speaking.is_over = True
            ended_at = self.report.wall_clock.at(time.monotonic())
            record = UtteranceRecord.assemble(utterance, measured, ended_at, self._credentials)
            record.is_own_fault |= is_crash
            if caller.call is not None:
                caller.call.mark(record)
            clip_pool.give_back(taken)
            self.report.end(caller.ordinal, record)
            if self.report.total % UTTERANCES_AT_ONCE == 0:
                collect_young()
            if record.outcome != Outcome.INTERRUPTED:
                self._on_utterance(record)
        return record

    def _speak_to_the_end(self, caller: Caller, update: StageUpdate) -> UtteranceRecord:
        """Does what `_speak` does, in a greenlet of its own: the caller's own may be killed meanwhile. Its connection
        is closed then as soon as the utterance has ended."""
        speaking = gevent.spawn(self._speak_or_be_cut, caller, update)
        try:
            record = speaking.get()
        except BaseException:
            connection, caller.connection = caller.connection, None  # the caller leaves, its connection stays
            if connection is not None:
                speaking.link(lambda _: connection.close())
            raise
        if record is None:
            raise UtteranceCut
        return record

    def _speak_or_be_cut(self, caller: Caller, update: StageUpdate) -> UtteranceRecord | None:
        """None where it was cut: an exception that ends a greenlet is printed."""
        try:
            return self._speak(caller, update)
        except UtteranceCut:
            return None

    def _new_utterance(self, caller: Caller, update: StageUpdate, clip: Clip, is_reused: bool) -> Utterance:
        return Utterance(
            run_id=update.run_id,
            worker=self._worker_index,
            user=caller.ordinal,
            stage=update.stage,
            phase=update.phase.value,
            users=update.users,
            clip_id=clip.clip_id,
            reference=clip.reference,
            clip_reused=is_reused,
            kind=self._kind,
        )

    # inside --------------------------------------------------------------------------------------------

    def _enter(self, update: StageUpdate) -> None:
        """A phase begins: clips from where every stage counts them, and the garbage of the last one."""
        place = update.place_of(self._client_id)
        if place != self._place:
            self._clip_pool, self._place = ClipPool(self._clips, self.config.seed, *place), place
        if update.phase in (Phase.RAMP, Phase.HOLD):
            self._clip_pool.restart(from_the_end=update.phase is Phase.RAMP)
        if update.phase is Phase.RAMP and not (self.report.active or update.call_workers):
            collect_all()
        else:
            freeze()
        if self._switchboard is not None:
            self._switchboard.follow(update)
        self._wake()

    def _wake(self) -> None:
        woken, self._changed = self._changed, GeventEvent()
        woken.set()

    def _wait_until_silent(self, limit_s: float) -> None:
        deadline_s = time.monotonic() + limit_s
        while self.report.active and time.monotonic() < deadline_s:
            gevent.sleep(0.05)

    def _own_cpu_pct(self) -> float | None:
        """CPU of this process, percent of one core, over the last second or more; None in the first."""
        now_s, busy_s = time.monotonic(), time.process_time()
        if self._cpu_asked is None:
            self._cpu_asked = now_s, busy_s
        passed_s = now_s - self._cpu_asked[0]
        if passed_s >= _CPU_PERIOD_S:
            self._cpu_pct = 100 * (busy_s - self._cpu_asked[1]) / passed_s
            self._cpu_asked = now_s, busy_s
        return self._cpu_pct

"""One worker's callers: whose turn it is, what they speak, and the rows they leave.

sign ──▶ gate ──▶ clip from the pool ──▶ one utterance ──▶ row in the outbox ──▶ pause ──▶ gate …
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, cast

import gevent
import psutil
from gevent.event import Event as GeventEvent

from stt_load.audio.clip import Clip
from stt_load.audio.pool import ClipPool
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.run.gc_control import CALLERS_AT_ONCE, UTTERANCES_AT_ONCE, collect_all, collect_young, freeze
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import Snapshot, WorkerReport
from stt_load.workloads.workload import Caller, Workload

# A caller whom the server turns away at once doesn't hammer it: it waits as long as a person would at least.
PAUSE_AFTER_FAILURE_S = 1.0
_CPU_PERIOD_S = 1.0


class UtteranceCut(BaseException):
    """Thrown into a caller's greenlet: the run ends now. No `Exception`, so that nothing takes it for a fault."""


class CallerPool:
    """The callers of one worker process in one run. `manner`: what they do when it is their turn. `on_utterance` hears
    of every ended utterance that counts for Locust."""

    def __init__(
        self,
        config: RunConfig,
        clip_set: ClipSet,
        manner: Workload,
        client_id: str,
        worker_index: int,
        on_utterance: Callable[[UtteranceRecord], None],
    ) -> None:
        self.config = config
        self.sign: StageUpdate | None = None
        self._clips = clip_set.clips
        self._client_id = client_id
        self._worker_index = worker_index
        self._manner = manner
        self._on_utterance = on_utterance
        self._mean_clip_s = sum(clip.duration_s for clip in self._clips) / len(self._clips)
        self._pool: ClipPool | None = None
        self._place: tuple[int, int] | None = None
        self._outbox = WorkerReport("")
        self._speaking: dict[int, gevent.Greenlet[..., Any]] = {}
        self._changed = GeventEvent()
        self._is_shut = False
        self._ordinals = itertools.count()
        self._process = psutil.Process()
        self._cpu_asked_s = 0.0
        self._cpu_pct: float | None = None

    # the master's word ---------------------------------------------------------------------------------

    def show(self, sign: StageUpdate) -> None:
        """A sign from the master; an older one than the last is left out."""
        before = self.sign
        if before is not None and before.run_id == sign.run_id and sign.seq <= before.seq:
            return
        self.sign = sign
        if before is None or before.run_id != sign.run_id:
            self._outbox = WorkerReport(sign.run_id)
            self._is_shut = False
        place = sign.place_of(self._client_id)
        if self._pool is None or place != self._place:
            self._pool, self._place = ClipPool(self._clips, self.config.seed, *place), place
            self._pool.restart(from_the_end=sign.phase is Phase.RAMP)
        elif sign.phase in (Phase.RAMP, Phase.HOLD):
            self._pool.restart(from_the_end=sign.phase is Phase.RAMP)
        if sign.phase is Phase.RAMP and not self._speaking:
            collect_all()
        else:
            freeze()
        self._wake()

    def drain(self, is_cut: bool, limit_s: float) -> None:
        """Shut the gate; let the utterances in flight end (`is_cut`: cut them now). Returns when none is left."""
        self._is_shut = True
        self._wake()
        if not is_cut:
            self._wait_until_empty(limit_s)
        for greenlet in list(self._speaking.values()):
            greenlet.kill(UtteranceCut, block=False)
        self._wait_until_empty(5.0)

    def report(self) -> Snapshot:
        """What the master is owed since the last report."""
        return self._outbox.take(self.sign, self._cpu(), time.monotonic())

    def look(self) -> Snapshot:
        """The report for a ledger in this process. Rows wait for `hand_over`."""
        return self._outbox.look(self.sign, self._cpu(), time.monotonic)

    def hand_over(self) -> bytes:
        """The row that has waited longest."""
        return self._outbox.hand_over()

    @property
    def n_waiting(self) -> int:
        """Rows that no report has carried yet."""
        return self._outbox.n_waiting

    # a caller's life -----------------------------------------------------------------------------------

    def new_caller(self) -> Caller:
        ordinal = next(self._ordinals)
        if ordinal % CALLERS_AT_ONCE == 0:
            freeze()
        return Caller(ordinal, self.config.seed + 7_919 * self._worker_index)

    def talk(self, caller: Caller) -> None:
        """One utterance when it is this caller's turn, and the pause after it."""
        try:
            sign = self._wait_for_turn(caller)
            record = self._speak(caller, sign)
            pause_s = caller.random.uniform(*self.config.pause_s)
            if not record.is_ok:
                pause_s = max(pause_s, PAUSE_AFTER_FAILURE_S)
            if pause_s > 0.0:  # otherwise Locust lets others have their turn between two tasks
                gevent.sleep(pause_s)
        except UtteranceCut:
            self._manner.hang_up(caller)
        except BaseException:  # the caller leaves: its greenlet is killed
            self._manner.hang_up(caller)
            raise

    def _wait_for_turn(self, caller: Caller) -> StageUpdate:
        while True:
            sign, changed = self.sign, self._changed
            if sign is None or not self._may_speak(caller, sign):
                caller.has_waited = True
                self._manner.hang_up(caller)  # may take a while: a sign that comes meanwhile is in `changed`
                changed.wait()
            elif caller.has_waited:
                caller.has_waited = False
                gevent.sleep(self._arrival_delay_s(caller))
            else:
                return sign

    def _may_speak(self, caller: Caller, sign: StageUpdate) -> bool:
        if caller.stage != sign.stage:
            caller.stage, caller.begun_in_stage = sign.stage, 0
        if self._is_shut:
            return False
        if self.config.rounds is not None:
            return sign.phase is Phase.HOLD and caller.begun_in_stage < self.config.rounds
        if self._is_together and sign.phase is Phase.RAMP:
            return False
        return sign.phase in (Phase.RAMP, Phase.HOLD, Phase.GRACE)

    @property
    def _is_together(self) -> bool:
        return self.config.rounds is not None or self.config.arrival == "together"

    def _arrival_delay_s(self, caller: Caller) -> float:
        return 0.0 if self._is_together else caller.random.uniform(0.0, self._mean_clip_s)

    def _speak(self, caller: Caller, sign: StageUpdate) -> UtteranceRecord:
        assert self._pool is not None
        pool, outbox = self._pool, self._outbox  # a new sign may replace both while this caller speaks
        clip, is_reused = pool.take()
        record = self._new_record(caller, sign, clip, is_reused)
        turn = self._manner.new_attempt(caller, clip, self._is_together)
        outbox.begin(caller.ordinal, sign, clip.clip_id, turn)
        caller.begun_in_stage += 1
        self._speaking[caller.ordinal] = cast("gevent.Greenlet[..., Any]", gevent.getcurrent())
        try:
            turn.run(record)
        except BaseException:
            turn.interrupt("the run ended first")
            raise
        finally:
            turn.measure_into(record)
            record.started_at = time.time() - (record.duration_s or 0.0)
            del self._speaking[caller.ordinal]
            pool.give_back(clip)
            outbox.end(caller.ordinal, record)
            if outbox.total % UTTERANCES_AT_ONCE == 0:
                collect_young()
            if record.outcome != Outcome.INTERRUPTED:
                self._on_utterance(record)
        return record

    def _new_record(self, caller: Caller, sign: StageUpdate, clip: Clip, is_reused: bool) -> UtteranceRecord:
        return UtteranceRecord(
            run_id=sign.run_id,
            worker=self._worker_index,
            user=caller.ordinal,
            stage=sign.stage,
            phase=sign.phase.value,
            users=sign.users,
            clip_id=clip.clip_id,
            reference=clip.reference,
            clip_reused=is_reused,
        )

    # inside --------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        woken, self._changed = self._changed, GeventEvent()
        woken.set()

    def _wait_until_empty(self, limit_s: float) -> None:
        deadline_s = time.monotonic() + limit_s
        while self._speaking and time.monotonic() < deadline_s:
            gevent.sleep(0.05)

    def _cpu(self) -> float | None:
        """Percent of one core since the last look, at most once a second."""
        now_s = time.monotonic()
        if now_s - self._cpu_asked_s >= _CPU_PERIOD_S:
            is_first, self._cpu_asked_s = self._cpu_asked_s == 0.0, now_s
            busy_pct = self._process.cpu_percent()
            self._cpu_pct = None if is_first else busy_pct
        return self._cpu_pct

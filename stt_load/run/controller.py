"""The run as the master (or a single process) leads it: asks the plan, tells every worker, keeps the ledger current."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import msgspec

from stt_load.clock import Clock, SteadyWallClock
from stt_load.process.log import log
from stt_load.run.cluster import Cluster
from stt_load.run.lease import SILENT_AFTER_S
from stt_load.run.ledger import Ledger
from stt_load.run.plan import NOBODY_BEGAN, NOBODY_CAME, Observation, Phase, Plan, Transition
from stt_load.run.run_folder import RunFolder
from stt_load.run.stage_update import StageUpdate
from stt_load.run.stolen_cpu import StolenCpu
from stt_load.run.waiting_ports import waiting_ports_pct

_STEP_PERIOD_S = 0.1


class RunController:
    """Leads one run from its first transition to `finish`, in a greenlet of its own."""

    def __init__(
        self,
        run_id: str,
        plan: Plan,
        cluster: Cluster,
        ledger: Ledger,
        folder: RunFolder,
        on_update: Callable[[StageUpdate], None],
        on_step: Callable[[], None],
        on_fault: Callable[[Exception], None],
        is_judged: Callable[[int], bool],
        find_breach: Callable[[int, int], str | None],
        wall_clock: SteadyWallClock,
        clock: Clock = time.monotonic,
        is_near: bool = False,
    ) -> None:
        """`on_update`: called with every phase that begins. `on_step`: called about ten times a second. `on_fault`:
        called once, where an error ends the leading before the plan has run through. `is_judged`: whether the report of
        a stage that has ended is there, or none is to come. `find_breach`: which objective a stage with so many counted
        utterances begun misses for certain, one clause, where holds may end early. `wall_clock`: the run's, carried on
        by `clock`. `is_near`: the server is on this machine."""
        self.run_id = run_id
        self.plan = plan
        self.ledger = ledger
        self._cluster = cluster
        self._folder = folder
        self._on_update = on_update
        self._on_step = on_step
        self._on_fault = on_fault
        self._is_judged = is_judged
        self._find_breach = find_breach
        self._wall_clock = wall_clock
        self._clock = clock
        self._is_near = is_near
        self._known_workers = set(cluster.workers())
        self._workers_lost = 0
        self._silent_workers: set[str] = set()
        self._warned_of: set[tuple[str, str | None]] = set()
        self._cpu_pct: float | None = None
        self._stolen_cpu = StolenCpu()
        self._end_reason: str | None = None
        self._load_ended_at: float | None = None
        self._first = plan.start(clock())
        self.update = self._update_of(self._first, 0)
        self._greenlet = gevent.Greenlet(self._lead)

    def start(self) -> None:
        self._announce(self._first, self.update)
        self._greenlet.start()

    @property
    def is_done(self) -> bool:
        """The plan has run through: the shape may end the test."""
        return self.plan.is_done

    def stop_leading(self) -> None:
        """No more transitions: the run is being stopped, and no utterance begins from now on."""
        self._greenlet.kill()
        if self._load_ended_at is None:
            self._load_ended_at = self._wall_clock.at(self._clock())

    def finish(self, reason: str, is_aborted: bool) -> None:
        """Writes the last line of `stages.jsonl`, once every row that will come has come. `reason`: why the run ends,
        where its plan has not run through."""
        if is_aborted:  # then workers may leave, but not before their last rows have come
            self._workers_lost += len(self._known_workers - self.ledger.drained - self._silent_workers)
        else:  # the last worker to leave stops the run by itself, before the next step has noted it
            self._note_lost_workers()
        transition = self.plan.stop(self._clock(), self._end_reason or reason)
        delivery = {**self.ledger.delivery(), "workers_lost": self._workers_lost}
        self._write(transition, delivery=delivery, aborted=is_aborted, load_ended_at=self._load_ended_at)

    def _lead(self) -> None:
        try:
            while self.step():
                gevent.sleep(_STEP_PERIOD_S)
        except Exception as error:  # whatever it is: a load that nobody leads would go on for ever
            self._on_fault(error)

    def step(self) -> bool:
        """Takes in what is new, and begins the next phase where it is time. False where the plan has run through.
        Raises WriteError where the folder takes no more, and any fault that was met with a row."""
        self._cluster.collect(self.ledger)
        self._folder.keep_up()
        if self.ledger.fault is not None:
            raise self.ledger.fault
        self._note_lost_workers()
        self._note_cpu()
        self._warn_of_failures()
        transition = self.plan.advance(self._clock(), self._observe())
        if transition is not None:
            if transition.phase is Phase.DONE:
                self._end_reason = transition.reason
                if transition.reason in (NOBODY_CAME, NOBODY_BEGAN):
                    log.error("the run ends: %s", transition.reason)
                return False
            self.update = self._update_of(transition, self.update.seq + 1)
            self._announce(transition, self.update)
        self._on_step()
        return True

    def _observe(self) -> Observation:
        stage = self.update.stage
        tally, begun = self.ledger.tally(stage), self.ledger.begun(stage)
        callers = min(self._cluster.reached, self.update.users)
        return Observation(
            reached=self._cluster.reached,
            is_ready=self.ledger.are_ready_for_calls(self._cluster.workers()),
            speaking=self.ledger.speaking(stage),
            begun=begun,
            ended=tally.ended,
            in_flight=self.ledger.in_flight(),
            is_current=self.ledger.is_current(self._cluster.workers(), self.update.seq),
            target=self._cluster.target,
            refused=tally.refused,
            ok=tally.ok,
            other_dialect=tally.other_dialect,
            is_judged=self._is_judged(stage),
            breach=self._find_breach(stage, begun),
            uncounted=0 if self.update.load else max(0, callers - self.ledger.counted_callers(stage)),
        )

    @property
    def callers(self) -> int:
        """Callers that are there; with --arrivals those on the line."""
        return self._cluster.reached if self._first.load is None else self.ledger.on_the_line()

    def _update_of(self, transition: Transition, seq: int) -> StageUpdate:
        roster = tuple(self._cluster.workers())
        return StageUpdate(
            run_id=self.run_id,
            seq=seq,
            stage=transition.stage,
            phase=transition.phase,
            users=transition.users,
            roster=roster,
            load=transition.load,
            call_workers=(self.update.call_workers or roster) if transition.is_open else (),
        )

    def _announce(self, transition: Transition, update: StageUpdate) -> None:
        self._write(transition)
        self.ledger.note_told(update.seq, self._clock())
        self._cluster.tell(update)
        self._on_update(update)

    def _write(self, transition: Transition, **more: Any) -> None:
        now_s = self._clock()
        line: Mapping[str, Any] = {
            "t": self._wall_clock.at(now_s),
            "mono": now_s,
            "run_id": self.run_id,
            "stage": transition.stage,
            "phase": str(transition.phase),
            "users": transition.users,
            "reached": self.callers,
            "workers": len(self._cluster.workers()),
            "workers_lost": self._workers_lost,
            "begun": self.ledger.begun(transition.stage),
            "ended": self.ledger.ended(transition.stage),
            "generator_cpu_pct": self._cpu_pct,
            "stolen_cpu_pct": self._stolen_cpu.pct_since_last_call(),
            "waiting_ports_pct": waiting_ports_pct(self._is_near),
            "reason": transition.reason,
            **(
                {"load": msgspec.to_builtins(transition.load), "is_open": transition.is_open} if transition.load else {}
            ),
            **more,
        }
        self._folder.add_transition(line)
        self._cpu_pct = None

    def _note_cpu(self) -> None:
        """Keeps the highest since the last transition."""
        cpu_pct = self.ledger.cpu_pct()
        if cpu_pct is not None:
            self._cpu_pct = max(cpu_pct, self._cpu_pct or 0.0)

    def _warn_of_failures(self) -> None:
        """The first of each kind, with what to do where that is known: a thousand callers fail for the same reason."""
        for kind, record in self.ledger.first_failures.items():
            if kind not in self._warned_of:
                self._warned_of.add(kind)
                refusal = f" ({record.refusal})" if record.refusal else ""
                found = self.ledger.advisor.find_advice(record)
                advice = f": {found}" if found else ""
                what = "failure of the load generator itself" if record.is_own_fault else f"{record.outcome}{refusal}"
                log.warning("the first %s: %s%s", what, record.error or "without a reason", advice)

    def _note_lost_workers(self) -> None:
        present = set(self._cluster.workers())
        for worker in present:
            self._note_silence(worker)
        for worker in self._known_workers - present:
            if worker not in self._silent_workers:  # otherwise it counts as lost already
                self._workers_lost += 1
            log.warning("a load worker has gone in %s: %d left", self._place, len(present))
            self.ledger.drop_worker(worker)
        self._known_workers = present

    def _note_silence(self, worker: str) -> None:
        """A worker that is silent for so long counts as lost, even if it comes back: its callers have stopped."""
        silence_s = self.ledger.silence_s(worker, self._clock())
        is_silent = silence_s > SILENT_AFTER_S
        if is_silent and worker not in self._silent_workers:
            self._silent_workers.add(worker)
            self._workers_lost += 1
            log.warning("load worker %s is silent for %.0f s, in %s", worker, silence_s, self._place)
        elif not is_silent and worker in self._silent_workers:
            self._silent_workers.remove(worker)
            log.warning("load worker %s is heard again, in %s", worker, self._place)

    @property
    def _place(self) -> str:
        return f"stage {self.update.stage + 1}, {self.update.phase}"

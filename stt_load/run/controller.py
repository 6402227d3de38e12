"""The run as the master (or a single process) leads it: asks the plan, tells everybody, keeps the books."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent

from stt_load.credentials import API_KEY_VARIABLE
from stt_load.errors import Refusal
from stt_load.run.ledger import Ledger
from stt_load.run.plan import Observation, Phase, Plan, Transition
from stt_load.run.run_folder import RunFolder
from stt_load.run.stage_update import StageUpdate
from stt_load.run.stolen_cpu import StolenCpu

log = logging.getLogger("stt_load")

_LOOK_PERIOD_S = 0.1

REFUSAL_ADVICE = {
    Refusal.AUTH: f"set {API_KEY_VARIABLE} on every worker to a key that it takes, and look at the path of --stt-url",
    Refusal.CAPACITY: "it says that it is full: raise its limit, or take these callers for more than it holds",
    Refusal.PARAMETERS: "it doesn't do what was asked for: see --dialect-option",
    Refusal.UNREACHABLE: "nothing answers there: is the server up, and is --stt-url right?",
}


class Cluster:
    """What the conductor asks of Locust: who is there, how many callers, and how to tell the workers.

    Either a master with its workers or a single process that is its own worker.
    """

    def __init__(
        self,
        runner: Any,
        list_workers: Callable[[], Sequence[str]],
        show: Callable[[StageUpdate], None],
        collect: Callable[[], None],
    ) -> None:
        """`list_workers`: client ids in the order of their indexes. `show`: tell every worker. `collect`: fetch what
        can be fetched (a single process hands over its own rows; workers report by themselves)."""
        self.runner = runner
        self.list_workers = list_workers
        self.show = show
        self.collect = collect

    @property
    def reached(self) -> int:
        return int(self.runner.user_count)

    @property
    def target(self) -> int:
        return int(self.runner.target_user_count or 0)


class RunController:
    """One run, from its first transition to `finish`."""

    def __init__(
        self,
        run_id: str,
        plan: Plan,
        cluster: Cluster,
        ledger: Ledger,
        folder: RunFolder,
        on_change: Callable[[StageUpdate], None],
        on_look: Callable[[], None],
    ) -> None:
        """`on_change`: told of every phase that begins. `on_look`: called about ten times a second."""
        self.run_id = run_id
        self.plan = plan
        self.ledger = ledger
        self.sign: StageUpdate | None = None
        self.end_reason: str | None = None
        self.workers_lost = 0
        self._cluster = cluster
        self._folder = folder
        self._on_change = on_change
        self._on_look = on_look
        self._known_workers: set[str] = set()
        self._told: set[tuple[str, str | None]] = set()
        self._cpu_pct: float | None = None
        self._stolen_cpu = StolenCpu()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        self._known_workers = set(self._cluster.list_workers())
        self._announce(self.plan.start(time.monotonic()))
        self._greenlet = gevent.spawn(self._loop)

    @property
    def is_done(self) -> bool:
        """The plan has run through: the shape may end the test."""
        return self.plan.is_done

    def collect(self) -> None:
        """Fetch what a single process has; workers report by themselves."""
        self._cluster.collect()

    def stop_leading(self) -> None:
        """No more transitions: the run is being stopped."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def finish(self, reason: str, is_aborted: bool) -> None:
        """The last line of `stages.jsonl`, once every row that will come has come."""
        if not is_aborted:  # the last worker to leave stops the run by itself, before the loop has looked
            self._note_lost_workers()
        transition = self.plan.stop(time.monotonic(), self.end_reason or reason)
        delivery = {**self.ledger.delivery(), "workers_lost": self.workers_lost}
        self._write(transition, delivery=delivery, aborted=is_aborted)

    def _loop(self) -> None:
        while True:
            self.collect()
            self._note_lost_workers()
            self._note_cpu()
            self._note_complaints()
            transition = self.plan.advance(time.monotonic(), self._look())
            if transition is not None:
                if transition.phase is Phase.DONE:
                    self.end_reason = transition.reason
                    return
                self._announce(transition)
            self._on_look()
            gevent.sleep(_LOOK_PERIOD_S)

    def _look(self) -> Observation:
        assert self.sign is not None
        stage = self.sign.stage
        return Observation(
            reached=self._cluster.reached,
            speaking=self.ledger.speaking(stage),
            begun=self.ledger.begun(stage),
            ended=self.ledger.ended(stage),
            in_flight=self.ledger.in_flight(),
            is_current=self.ledger.is_current(self._cluster.list_workers(), self.sign.seq),
            target=self._cluster.target,
            refused=self.ledger.refused(stage),
        )

    def _announce(self, transition: Transition) -> None:
        self._write(transition)
        self.sign = StageUpdate(
            run_id=self.run_id,
            seq=self.sign.seq + 1 if self.sign else 0,
            stage=transition.stage,
            phase=transition.phase,
            users=transition.users,
            roster=tuple(self._cluster.list_workers()),
        )
        self._cluster.show(self.sign)
        self._on_change(self.sign)

    def _write(self, transition: Transition, **more: Any) -> None:
        line: Mapping[str, Any] = {
            "t": time.time(),
            "mono": time.monotonic(),
            "run_id": self.run_id,
            "stage": transition.stage,
            "phase": str(transition.phase),
            "users": transition.users,
            "reached": self._cluster.reached,
            "workers": len(self._cluster.list_workers()),
            "begun": self.ledger.begun(transition.stage),
            "ended": self.ledger.ended(transition.stage),
            "generator_cpu_pct": self._cpu_pct,
            "stolen_cpu_pct": self._stolen_cpu.pct_since_last_call(),
            "reason": transition.reason,
            **more,
        }
        self._folder.add_transition(line)
        self._cpu_pct = None

    def _note_cpu(self) -> None:
        cpu_pct = self.ledger.cpu_pct()
        if cpu_pct is not None:
            self._cpu_pct = max(cpu_pct, self._cpu_pct or 0.0)

    def _note_complaints(self) -> None:
        """The first of each kind, with what to do where that is known: a thousand callers fail for the same reason."""
        for kind, error in self.ledger.complaints.items():
            if kind not in self._told:
                self._told.add(kind)
                outcome, refusal = kind
                advice = f": {REFUSAL_ADVICE[Refusal(refusal)]}" if refusal else ""
                log.warning("the first %s%s: %s%s", outcome, f" ({refusal})" if refusal else "", error, advice)

    def _note_lost_workers(self) -> None:
        present = set(self._cluster.list_workers())
        for worker in self._known_workers - present:
            self.workers_lost += 1
            self.ledger.lose(worker)
        self._known_workers = present

"""A soak whose hours pass in seconds: the real run, ledger, folder and report, and workers that make up their rows.

The clock goes on by `step_s` each time the run asks its workers, ten times a second: 100 s of it are 1,000 times as
fast as time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gevent
import numpy as np

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.clock import SteadyWallClock
from stt_load.config import parse_options
from stt_load.errors import ExitCode
from stt_load.options import PlanKind
from stt_load.records import UtteranceRecord
from stt_load.run.ledger import Ledger
from stt_load.run.plan import Phase
from stt_load.run.run import Run
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport

SPEECH_S = 5.0
TEXTS = ("send me the last three bills", "the train leaves from platform nine", "we moved house in april", "no light")
CLIPS = ClipSet(
    tuple(Clip(f"clip-{n}", text, np.zeros(5_000, np.int16), 1_000, 0.0, SPEECH_S) for n, text in enumerate(TEXTS)),
    "made for tests",
    "0" * 64,
)
PER_CONNECTION = 50
_FROZEN = "speaking"

Latency = Callable[[random.Random, float, float], float]
"""Gives the latency of an utterance, seconds: of the age of the run and of the connection, hours."""


def steady(rng: random.Random, run_h: float, connection_h: float) -> float:
    return rng.lognormvariate(-0.9, 0.2)


@dataclass
class SimulatedClock:
    now_s: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        return self.now_s


@dataclass
class _Turn:
    """An utterance that goes on."""

    began_s: float
    update: StageUpdate
    carried: int
    connected_s: float
    state: str = _FROZEN

    def cut(self) -> None: ...


class SimulatedWorkers:
    """The only worker of a run, with callers that speak without a pause. `on_step`: called at each step."""

    scoring_share = 0.5
    target = 0

    def __init__(self, clock: SimulatedClock, step_s: float, n_callers: int, latency: Latency) -> None:
        self._clock = clock
        self._step_s = step_s
        self._n_callers = n_callers
        self._latency = latency
        self._rng = random.Random(7)
        self._report = WorkerReport("run")
        self._report.wall_clock = SteadyWallClock.read(time.time, clock)
        self._turns: dict[int, _Turn] = {}
        self._began_s = clock()
        self.on_step: Callable[[float], None] = lambda hours: None

    @property
    def reached(self) -> int:
        return self._n_callers

    def workers(self) -> Sequence[str]:
        return ("w0",)

    def tell(self, update: StageUpdate) -> None:
        self._report.apply(update)

    def collect(self, ledger: Ledger) -> None:
        self._clock.now_s += self._step_s
        for user in range(self._n_callers):
            self._play(user)
        message = self._report.take(10.0, self._clock())
        ledger.accept("w0", message.snapshot, self._clock(), message.rows)
        self.on_step((self._clock() - self._began_s) / 3_600)

    def drain(self, ledger: Ledger, is_cut: bool, limit_s: float) -> None:
        self.collect(ledger)
        ledger.drained.add("w0")

    def _play(self, user: int) -> None:
        """Ends what has ended by now, and begins what comes next."""
        update = self._report.update
        if update is None:
            return
        may_speak = update.phase in (Phase.RAMP, Phase.HOLD, Phase.GRACE)
        while True:
            turn = self._turns.get(user)
            if turn is None:
                if not may_speak:
                    return
                at_s = self._clock() - self._step_s * self._rng.random()
                turn = self._begin(user, _Turn(at_s, update, 0, at_s - 0.01))
            hours = (turn.began_s - self._began_s) / 3_600, (turn.began_s - turn.connected_s) / 3_600
            late_s = self._latency(self._rng, *hours)
            ended_s = turn.began_s + SPEECH_S + late_s
            if ended_s > self._clock():
                return
            self._report.end(user, self._row(user, turn, late_s))
            del self._turns[user]
            if may_speak:
                carried = (turn.carried + 1) % PER_CONNECTION
                connected_s = turn.connected_s if carried else ended_s
                self._begin(user, _Turn(ended_s + 0.01, update, carried, connected_s))

    def _begin(self, user: int, turn: _Turn) -> _Turn:
        self._turns[user] = turn
        self._report.begin(user, turn.update, "clip-0", turn)
        return turn

    def _row(self, user: int, turn: _Turn, late_s: float) -> UtteranceRecord:
        place = (user + turn.carried) % len(TEXTS)
        return UtteranceRecord(
            run_id="run",
            worker=0,
            user=user,
            stage=turn.update.stage,
            phase=turn.update.phase.value,
            users=self._n_callers,
            clip_id=f"clip-{place}",
            reference=TEXTS[place],
            outcome="ok",
            started_at=self._report.wall_clock.at(turn.began_s),
            stream_start_s=turn.began_s,
            eos_latency_s=late_s,
            stream_end_latency_s=late_s,
            first_partial_s=1.0,
            connect_s=0.001,
            ready_s=0.0,
            pacing_lag_p99_s=0.001,
            pacing_lag_max_s=0.002,
            pacing_lag_counts={1: 49, 2: 1},
            audio_s=SPEECH_S,
            speech_s=SPEECH_S,
            duration_s=SPEECH_S + late_s,
            frames=50,
            text=TEXTS[place],
            messages=[(SPEECH_S + late_s, TEXTS[place])],
            stamp="kernel",
            server_ms={"decode": 100 * late_s},
            connection_utterance=turn.carried,
            connection_age_s=turn.began_s - turn.connected_s,
        )


def play(
    results: Path,
    soak: str,
    n_callers: int,
    step_s: float,
    latency: Latency = steady,
    on_step: Callable[[float], None] = lambda hours: None,
) -> tuple[Run, ExitCode]:
    """Plays a soak of this length to its end. Returns the run, which is closed, and its exit code."""
    clock = SimulatedClock()
    workers = SimulatedWorkers(clock, step_s, n_callers, latency)
    workers.on_step = on_step
    raw = {
        "dialect": "parakeet",
        "stt_url": "ws://127.0.0.1:9/",
        "concurrency": str(n_callers),
        "soak": soak,
        "settle": "0s",
        "utterances_per_connection": str(PER_CONNECTION),
        "slo": ["eos_latency:p95<1s", "error_rate<1%"],
        "results": str(results),
        "label": "soak",
    }
    run = Run("run", parse_options(raw), CLIPS, workers, raw, PlanKind.LADDER, lambda: None, clock)
    run.start()
    while run.users is not None:
        gevent.sleep(0.01)
    run.drain()
    return run, run.close()

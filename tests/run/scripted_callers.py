"""Callers whose server is the test: an utterance ends when it is answered, and a sleep takes no time.

Greenlets are real; nothing is patched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import gevent
import msgspec
import numpy as np
from gevent.event import Event

from stt_load.audio.clip import Clip
from stt_load.audio.silence import silence_for
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig, parse_options
from stt_load.errors import Outcome
from stt_load.records import Figures, Measured, UtteranceRecord
from stt_load.run.caller_pool import CallerPool
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport
from stt_load.workloads.workload import Caller

CLIP_S = 2.0
TEXTS = ("send me the last three bills", "the train leaves from platform nine", "we moved house in april", "no light")
CLIPS = ClipSet(
    tuple(Clip(f"clip-{n}", text, np.zeros(2_000, np.int16), 1_000, 0.0, CLIP_S) for n, text in enumerate(TEXTS)),
    "made for tests",
    "0" * 64,
)
WITH_SILENCES = replace(CLIPS, silences={clip.clip_id: silence_for(clip) for clip in CLIPS.clips})


def update(
    phase: Phase = Phase.HOLD, stage: int = 0, seq: int = 1, users: int = 2, roster: Sequence[str] = ("w0",)
) -> StageUpdate:
    return StageUpdate("run", seq, stage, phase, users, tuple(roster))


class Told(Figures):
    """What the test measured of an utterance."""

    outcome: str
    error: str | None
    duration_s: float = CLIP_S
    text: str = ""
    eos_latency_s: float | None = None
    messages: list[tuple[float, str]] = msgspec.field(default_factory=list)


@dataclass
class ScriptedAttempt:
    """One utterance. It goes on until `answer` is called, unless it is answered as soon as it begins."""

    clip: Clip
    caller: int
    is_together: bool
    told: Told = field(default_factory=lambda: Told(Outcome.INTERRUPTED, None))
    _answered: Event = field(default_factory=Event)

    state = "speaking"

    def answer(self, outcome: Outcome = Outcome.OK, error: str | None = None) -> None:
        text = self.clip.reference
        is_ok = outcome == Outcome.OK
        self.told = Told(outcome, error, CLIP_S, text, 0.3, [(CLIP_S, text)]) if is_ok else Told(outcome, error)
        self._answered.set()

    def run(self) -> Measured:
        self._answered.wait()
        return [self.told]

    def interrupt(self, why: str) -> Measured:
        return [Told(Outcome.INTERRUPTED, why)]


@dataclass
class ScriptedConnection:
    """What a caller keeps open between two utterances; `closed` lists the callers who have closed theirs."""

    caller: int
    closed: list[int]

    def close(self) -> None:
        self.closed.append(self.caller)


@dataclass
class ScriptedWorkload:
    """`at_once`: how every utterance ends, as soon as it begins; None: when the test answers it."""

    at_once: Outcome | None = None
    attempts: list[ScriptedAttempt] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    @classmethod
    def choose_clips(cls, config: RunConfig) -> ClipSet:
        return CLIPS

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> ScriptedAttempt:
        caller.connection = caller.connection or ScriptedConnection(caller.ordinal, self.closed)
        attempt = ScriptedAttempt(clip, caller.ordinal, is_together)
        if self.at_once is not None:
            attempt.answer(self.at_once)
        self.attempts.append(attempt)
        return attempt


class Callers:
    """A pool with callers in it, each in a greenlet that takes one turn after the other, as a Locust user does."""

    def __init__(
        self,
        client_id: str = "w0",
        at_once: Outcome | None = None,
        newest: StageUpdate | None = None,
        finishes_leaving: bool = False,
        **options: str,
    ) -> None:
        self.workload = ScriptedWorkload(at_once)
        self.report = WorkerReport("run")
        if newest is not None:
            self.report.apply(newest)
        self.ended: list[UtteranceRecord] = []
        self.sleeps_s: list[float] = []
        config = parse_options({"dialect": "vosk", "seed": "5", **options})
        self.pool = CallerPool(
            config,
            WITH_SILENCES,
            self.workload,
            self.report,
            client_id,
            3,
            self.ended.append,
            sleep=self._sleep,
            finishes_leaving=finishes_leaving,
        )
        self._greenlets: list[gevent.Greenlet] = []

    def _sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)
        gevent.sleep(0)

    def come(self, n: int = 1) -> None:
        self._greenlets += [gevent.spawn(self._live, self.pool.new_caller()) for _ in range(n)]
        settle()

    def _live(self, caller: Caller) -> None:
        while True:
            self.pool.take_turn(caller)
            gevent.sleep(0)

    def leave(self, caller: int = 0) -> None:
        """Locust stops this user."""
        self._greenlets[caller].kill()

    def apply(self, newest: StageUpdate) -> None:
        self.pool.apply(newest)
        settle()

    def answer(self, caller: int = 0, outcome: Outcome = Outcome.OK) -> None:
        """The newest utterance of this caller ends."""
        newest = [attempt for attempt in self.workload.attempts if attempt.caller == caller][-1]
        newest.answer(outcome, None if outcome == Outcome.OK else "as the test says")
        settle()

    def rows(self) -> list[UtteranceRecord]:
        """Every row since the last time, oldest first."""
        lines = [self.report.pop() for _ in range(self.report.n_waiting)]
        return [UtteranceRecord.from_json(line) for line in lines]

    @property
    def speaking(self) -> set[int]:
        return set(self.report.active)

    @property
    def n_begun(self) -> int:
        return len(self.workload.attempts)


def settle() -> None:
    """Lets every greenlet go on until it waits for something."""
    for _ in range(20):
        gevent.sleep(0)


@contextmanager
def callers(**what: object) -> Iterator[Callers]:
    made = Callers(**what)  # type: ignore[arg-type]
    try:
        with gevent.Timeout(60):
            yield made
    finally:
        gevent.killall(made._greenlets)

"""What one worker knows of a run: the newest stage update, who is speaking, and the rows that the master is owed."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, Protocol, Self

import msgspec

from stt_load.clock import SteadyWallClock
from stt_load.records import UtteranceRecord
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate

_STATE_PERIOD_S = 0.0005
"""Caller states are gathered again after this long for each active caller: it takes a thousandth of the time."""


class ActiveCaller(Protocol):
    """One caller in the middle of an utterance."""

    @property
    def state(self) -> str:
        """What the caller does right now: connecting, speaking, waiting. For the live view."""
        ...

    def cut(self) -> None:
        """Ends the utterance now; returns at once."""
        ...


class Snapshot(msgspec.Struct, frozen=True):
    """A worker's counts at one moment."""

    run_id: str
    seq: int  # 0, 1, 2, …: a gap tells the master that a report was lost
    update_seq: int  # `seq` of the newest stage update that this worker has heard, -1 before the first
    stage: int  # of that update
    total: int  # utterances that have ended since the run began; fewer rows at the master: some were lost
    begun: int  # counted utterances that have begun in the stage
    speaking: int  # callers that have begun an utterance in the stage
    in_flight: int  # utterances in flight, counted or not
    caller_states: dict[str, int]  # active callers by what they do, or did not long ago
    clips: frozenset[str]  # ids of the clips that are spoken now, or whose rows still wait
    cpu_pct: float | None = None  # CPU of the worker's process, percent of one core
    wall_s: float | None = None  # the wall clock by which the worker's rows are told: the master compares it
    counted_callers: int = 0  # callers that have begun a counted utterance in the stage
    calls: int | None = None  # with --arrivals: callers on the line; None: the worker can't play calls yet


class ReportMessage(msgspec.Struct, frozen=True):
    """A report as it travels to the master: a snapshot, and the rows of all utterances that ended since the last.
    `token`: what the master has handed out for this run."""

    snapshot: Snapshot
    rows: bytes  # lines of JSON
    token: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Plain Python values with string keys: the master's msgpack decoder refuses others."""
        plain: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return plain

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Raises ValueError for whatever is no report of this version of the program."""
        return msgspec.convert(plain, cls)


class WorkerReport:
    """One worker's part of one run, as it grows. `take` makes a report of it and empties it; a ledger in the same
    process reads a `snapshot` and pops the rows one by one.

    A row becomes JSON once, when its utterance ends, and stays as it is.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.wall_clock = SteadyWallClock.read(time.time, time.monotonic)
        self.update: StageUpdate | None = None
        self.active: dict[int, ActiveCaller] = {}  # by the caller's ordinal
        self.total = 0
        self.calls: int | None = None  # callers on the line, once there can be calls
        self._seq = 0
        self._rows: deque[tuple[bytes, str]] = deque()  # a line and its clip
        self._begun: Counter[int] = Counter()
        self._spoke: dict[int, set[int]] = {}  # stage → callers that have begun an utterance in it
        self._counted: dict[int, set[int]] = {}  # the same of counted utterances
        self._clips: Counter[str] = Counter()  # utterances that have begun and whose rows were not taken
        self._states: dict[str, int] = {}
        self._states_until_s = 0.0

    def apply(self, update: StageUpdate) -> bool:
        """Takes note of a stage update. False where it is of another run, or no newer than the newest."""
        is_newer = update.run_id == self.run_id and (self.update is None or update.seq > self.update.seq)
        if is_newer:
            self.update = update
        return is_newer

    def begin(self, user: int, update: StageUpdate, clip_id: str, caller: ActiveCaller) -> None:
        """A caller begins an utterance under this stage update."""
        if update.phase is Phase.HOLD:
            self._begun[update.stage] += 1
            self._counted.setdefault(update.stage, set()).add(user)
        self._spoke.setdefault(update.stage, set()).add(user)
        self.active[user] = caller
        self._clips[clip_id] += 1

    def end(self, user: int, record: UtteranceRecord) -> None:
        """The caller's utterance has ended, however."""
        self.active.pop(user, None)
        self.total += 1
        self._rows.append((record.to_json(), record.clip_id))

    @property
    def n_waiting(self) -> int:
        """Rows that nobody has taken yet."""
        return len(self._rows)

    @property
    def n_taken(self) -> int:
        """Rows that were taken since the run began."""
        return self.total - len(self._rows)

    def pop(self) -> bytes:
        """Takes the row that has waited longest. IndexError where none does."""
        line, clip_id = self._rows.popleft()
        self._clips[clip_id] -= 1
        if self._clips[clip_id] <= 0:
            del self._clips[clip_id]
        return line

    def take(self, cpu_pct: float | None, now_s: float) -> ReportMessage:
        """The report since the last one, with all rows."""
        lines = [self.pop() for _ in range(len(self._rows))]
        return ReportMessage(self.snapshot(cpu_pct, now_s), b"\n".join(lines))

    def snapshot(self, cpu_pct: float | None, now_s: float) -> Snapshot:
        """The counts of now. `now_s`: monotonic clock."""
        stage, seq = self.update.stage if self.update else 0, self._seq
        self._seq += 1
        return Snapshot(
            run_id=self.run_id,
            seq=seq,
            update_seq=self.update.seq if self.update else -1,
            stage=stage,
            total=self.total,
            begun=self._begun[stage],
            speaking=len(self._spoke.get(stage, ())),
            in_flight=len(self.active),
            caller_states=self._caller_states(now_s),
            clips=frozenset(self._clips),
            cpu_pct=cpu_pct,
            wall_s=self.wall_clock.at(now_s),
            counted_callers=len(self._counted.get(stage, ())),
            calls=self.calls,
        )

    def _caller_states(self, now_s: float) -> dict[str, int]:
        """The states of now or of not long ago: thousands of callers are not asked ten times a second."""
        if now_s >= self._states_until_s:
            self._states = dict(Counter([caller.state for caller in self.active.values()]))
            self._states_until_s = now_s + _STATE_PERIOD_S * len(self.active)
        return self._states

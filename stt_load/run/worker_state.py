"""What the master knows of each worker: its newest snapshot, the rows that came, and how utterances have ended."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.run.worker_report import Snapshot

_CLOCKS_DIFFER_S = 5.0  # less than matters where nobody keeps clocks


@dataclass(slots=True)
class StageTally:
    """How the counted utterances of one stage have ended."""

    ended: int = 0
    ok: int = 0
    refused: int = 0  # the server would not take the caller
    other_dialect: int = 0  # the server seems to speak another dialect

    def add(self, record: UtteranceRecord) -> None:
        self.ended += 1
        self.ok += record.is_ok
        self.refused += record.outcome == Outcome.REFUSED
        self.other_dialect += record.seems_other_dialect

    def __add__(self, other: StageTally) -> StageTally:
        return StageTally(
            self.ended + other.ended,
            self.ok + other.ok,
            self.refused + other.refused,
            self.other_dialect + other.other_dialect,
        )


@dataclass(slots=True)
class WorkerState:
    """What the master knows of one worker: its newest snapshot, and what has come of it so far."""

    newest: Snapshot
    next_seq: int = 0
    missing_seq: int = 0
    rows: int = 0
    heard_s: float = 0.0  # when the newest snapshot came
    clock_behind_s: float = math.inf  # the worker's wall clock, behind the master's: at most so far
    clock_behind_at_least_s: float = -math.inf
    stages: defaultdict[int, StageTally] = field(default_factory=lambda: defaultdict(StageTally))

    def compare_clocks(self, master_wall_s: float, told_wall_s: float) -> None:
        """Compares the worker's wall clock with the master's by the newest snapshot. It was made after `told_wall_s`,
        when the stage update that it names was sent, and before `master_wall_s`, when it came: a report that was held
        up says less, and nothing wrong."""
        if self.newest.wall_s is not None:
            self.clock_behind_s = min(self.clock_behind_s, master_wall_s - self.newest.wall_s)
            self.clock_behind_at_least_s = max(self.clock_behind_at_least_s, told_wall_s - self.newest.wall_s)

    @property
    def clock_shift_s(self) -> float:
        """What moments of this worker's rows lack to be told by the master's wall clock; 0 where clocks agree."""
        is_behind = self.clock_behind_at_least_s > _CLOCKS_DIFFER_S
        is_ahead = self.clock_behind_s < -_CLOCKS_DIFFER_S
        return self.clock_behind_s if is_behind or is_ahead else 0.0

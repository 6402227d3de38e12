"""The sign that the master holds up to its workers: which run, which stage, which phase. Plain values only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from stt_load.run.plan import Phase


@dataclass(frozen=True, slots=True)
class StageUpdate:
    """`seq` grows with every transition; the higher one is the newer. `roster`: client ids of the workers, in
    order: a worker's place in it chooses its share of the clips. `users`: target callers of the stage."""

    run_id: str
    seq: int
    stage: int
    phase: Phase
    users: int
    roster: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        row: Mapping[str, Any] = json.loads(text)
        return cls(**{**row, "phase": Phase(row["phase"]), "roster": tuple(row["roster"])})

    def place_of(self, client_id: str) -> tuple[int, int]:
        """(place, number of workers) of this worker; one that joined later shares the last place's clips."""
        workers = max(1, len(self.roster))
        place = self.roster.index(client_id) if client_id in self.roster else workers - 1
        return place, workers

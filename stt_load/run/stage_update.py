"""The stage update: what the master tells its workers at every transition. Plain values, which travel as JSON."""

from __future__ import annotations

from typing import Self

import msgspec

from stt_load.capacity.arrivals import CallLoad
from stt_load.run.plan import Phase


class StageUpdate(msgspec.Struct, frozen=True):
    """Which run, which stage and which phase are on now.

    `seq` grows with every transition of a run; the higher one is the newer. `users`: target callers of the stage.
    `roster`: client ids of the workers, in order: a worker's place in it chooses its share of the clips.
    `load`: the calls of the stage, with --arrivals. `call_workers`: those that share them, for as long as the stage
    lasts: what one of them can't play is nobody else's. Empty: calls have not begun.
    """

    run_id: str
    seq: int
    stage: int
    phase: Phase
    users: int
    roster: tuple[str, ...]
    load: CallLoad | None = None
    call_workers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The stage as people call it: its number of callers, or the rate of its calls."""
        return str(self.users) if self.load is None else self.load.rate

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError for whatever is no stage update."""
        return msgspec.json.decode(text, type=cls)

    def place_of(self, client_id: str) -> tuple[int, int]:
        """(place, number of workers) of this worker; one that joined later shares the last place's clips."""
        workers = max(1, len(self.roster))
        place = self.roster.index(client_id) if client_id in self.roster else workers - 1
        return place, workers

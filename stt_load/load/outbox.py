"""What a worker knows and owes to the master: finished rows, and who is doing what right now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stt_load.load.plan import Phase
from stt_load.load.sign import Sign
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class Flight:
    """One utterance in flight. `doing` is asked when a report is made."""

    clip_id: str
    doing: Callable[[], str]


@dataclass(slots=True)
class Outbox:
    """Rows and counts of one run on one worker. `take` empties it into a report of plain Python values.

    A report carries `seq` (0, 1, 2, …) and the cumulative `total` of finished utterances, so that the master can
    tell when a report or a row was lost.
    """

    run_id: str
    seq: int = 0
    total: int = 0
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _begun: Counter[int] = field(default_factory=Counter)
    _speakers: dict[int, set[int]] = field(default_factory=dict)
    _flights: dict[int, Flight] = field(default_factory=dict)

    def begin(self, user: int, sign: Sign, flight: Flight) -> None:
        """A caller begins an utterance under this sign."""
        if sign.phase is Phase.HOLD:
            self._begun[sign.stage] += 1
        self._speakers.setdefault(sign.stage, set()).add(user)
        self._flights[user] = flight

    def end(self, user: int, record: UtteranceRecord) -> None:
        """The caller's utterance has ended, however."""
        self._flights.pop(user, None)
        self.total += 1
        self._rows.append(record.as_row())

    @property
    def n_in_flight(self) -> int:
        return len(self._flights)

    def take(self, sign: Sign | None, cpu_pct: float | None) -> dict[str, Any]:
        """The report since the last one. String keys only: the master's decoder refuses others."""
        stage = sign.stage if sign else 0
        report = {
            "run_id": self.run_id,
            "seq": self.seq,
            "total": self.total,
            "rows": self._rows,
            "sign": sign.seq if sign else -1,
            "stage": stage,
            "begun": self._begun[stage],
            "speaking": len(self._speakers.get(stage, ())),
            "doing": dict(Counter(flight.doing() for flight in self._flights.values())),
            "clips": [flight.clip_id for flight in self._flights.values()],
            "cpu_pct": cpu_pct,
        }
        self.seq += 1
        self._rows = []
        return report

"""What a worker knows and owes to the master: finished rows, and who is doing what right now."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stt_load.load.plan import Phase
from stt_load.load.sign import Sign
from stt_load.records import UtteranceRecord

Report = dict[str, Any]
"""Plain Python values, as they go over the wire."""

_DOING_PERIOD_S = 0.0002
"""So long for each caller in flight, and nobody asks them again: a thousandth of the time goes into asking."""


@dataclass(slots=True)
class Flight:
    """One utterance in flight. `doing` is asked when a report is made."""

    clip_id: str
    doing: Callable[[], str]


@dataclass(slots=True)
class Outbox:
    """Rows and counts of one run on one worker. `take` empties it into a report of plain Python values.

    A report carries `seq` (0, 1, 2, …) and the cumulative `total` of finished utterances, so that the master can
    tell when a report or a row was lost. A row becomes JSON once, when its utterance ends, and stays as it is.
    """

    run_id: str
    seq: int = 0
    total: int = 0
    _rows: deque[tuple[bytes, str]] = field(default_factory=deque)  # a line and its clip
    _begun: Counter[int] = field(default_factory=Counter)
    _speakers: dict[int, set[int]] = field(default_factory=dict)
    _flights: dict[int, Flight] = field(default_factory=dict)
    _clips: Counter[str] = field(default_factory=Counter)  # begun, and their rows not yet taken
    _doing: dict[str, int] = field(default_factory=dict)
    _doing_until_s: float = 0.0  # so long nobody is asked what he does

    def begin(self, user: int, sign: Sign, flight: Flight) -> None:
        """A caller begins an utterance under this sign."""
        if sign.phase is Phase.HOLD:
            self._begun[sign.stage] += 1
        self._speakers.setdefault(sign.stage, set()).add(user)
        self._flights[user] = flight
        self._clips[flight.clip_id] += 1

    def end(self, user: int, record: UtteranceRecord) -> None:
        """The caller's utterance has ended, however."""
        self._flights.pop(user, None)
        self.total += 1
        self._rows.append((record.to_json(), record.clip_id))

    @property
    def n_in_flight(self) -> int:
        return len(self._flights)

    @property
    def n_waiting(self) -> int:
        """Rows that nobody has taken yet."""
        return len(self._rows)

    def take(self, sign: Sign | None, cpu_pct: float | None, now_s: float, rows_at_most: int | None = None) -> Report:
        """The report since the last one. String keys only: the master's decoder refuses others.

        `rows`: lines of JSON, the oldest `rows_at_most`; what is left goes with the next report. `clips`: what is
        spoken now, or was by those whose rows are left.
        """
        n = len(self._rows) if rows_at_most is None else min(rows_at_most, len(self._rows))
        stage = sign.stage if sign else 0
        report = {
            "run_id": self.run_id,
            "seq": self.seq,
            "total": self.total,
            "rows": b"\n".join([self._hand_over() for _ in range(n)]),
            "sign": sign.seq if sign else -1,
            "stage": stage,
            "begun": self._begun[stage],
            "speaking": len(self._speakers.get(stage, ())),
            "in_flight": len(self._flights),
            "doing": self._ask(now_s),
            "clips": list(self._clips),
            "cpu_pct": cpu_pct,
        }
        self.seq += 1
        return report

    def _hand_over(self) -> bytes:
        line, clip_id = self._rows.popleft()
        self._clips[clip_id] -= 1
        if self._clips[clip_id] <= 0:
            del self._clips[clip_id]
        return line

    def _ask(self, now_s: float) -> dict[str, int]:
        """What the callers in flight are doing, or were not long ago: thousands are not asked ten times a second."""
        if now_s >= self._doing_until_s:
            self._doing = dict(Counter([flight.doing() for flight in self._flights.values()]))
            self._doing_until_s = now_s + _DOING_PERIOD_S * len(self._flights)
        return self._doing

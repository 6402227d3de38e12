"""What a worker knows and owes to the master: finished rows, and who is doing what right now."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from stt_load.records import UtteranceRecord
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate

Snapshot = dict[str, Any]
"""Plain Python values, as they go over the wire."""

_DOING_PERIOD_S = 0.0002
"""So long for each caller in flight, and nobody asks them again: a thousandth of the time goes into asking."""


class Flight(Protocol):
    """One utterance in flight."""

    @property
    def doing(self) -> str:
        """Asked when somebody wants to see it."""
        ...


@dataclass(slots=True)
class WorkerReport:
    """Rows and counts of one run on one worker. `take` empties it into a report of plain Python values; a ledger in the
    same process is shown `look`, and has the rows handed over one by one.

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

    def begin(self, user: int, sign: StageUpdate, clip_id: str, flight: Flight) -> None:
        """A caller begins an utterance under this sign."""
        if sign.phase is Phase.HOLD:
            self._begun[sign.stage] += 1
        self._speakers.setdefault(sign.stage, set()).add(user)
        self._flights[user] = flight
        self._clips[clip_id] += 1

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

    def take(self, sign: StageUpdate | None, cpu_pct: float | None, now_s: float) -> Snapshot:
        """The report since the last one. String keys only: the master's decoder refuses others.

        `rows`: lines of JSON. `clips`: what is spoken now.
        """
        lines = [self.hand_over() for _ in range(len(self._rows))]
        now = {"rows": b"\n".join(lines), "doing": self._ask(now_s), "clips": list(self._clips)}
        return self._counts(sign, cpu_pct) | now

    def look(self, sign: StageUpdate | None, cpu_pct: float | None, now: Callable[[], float]) -> Snapshot:
        """The report for a ledger in this process: it takes the same short time however many callers there are. No
        rows, which wait for `hand_over`; what callers are doing is told when it is called for; `clips` is a view, of
        what is spoken or was by those whose rows wait."""
        return self._counts(sign, cpu_pct) | {
            "rows": b"",
            "doing": lambda: self._ask(now()),
            "clips": self._clips.keys(),
        }

    def hand_over(self) -> bytes:
        """The row that has waited longest. IndexError where none does."""
        line, clip_id = self._rows.popleft()
        self._clips[clip_id] -= 1
        if self._clips[clip_id] <= 0:
            del self._clips[clip_id]
        return line

    def _counts(self, sign: StageUpdate | None, cpu_pct: float | None) -> Snapshot:
        stage, seq = sign.stage if sign else 0, self.seq
        self.seq += 1
        return {
            "run_id": self.run_id,
            "seq": seq,
            "total": self.total,
            "sign": sign.seq if sign else -1,
            "stage": stage,
            "begun": self._begun[stage],
            "speaking": len(self._speakers.get(stage, ())),
            "in_flight": len(self._flights),
            "cpu_pct": cpu_pct,
        }

    def _ask(self, now_s: float) -> dict[str, int]:
        """What the callers in flight are doing, or were not long ago: thousands are not asked ten times a second."""
        if now_s >= self._doing_until_s:
            self._doing = dict(Counter([flight.doing for flight in self._flights.values()]))
            self._doing_until_s = now_s + _DOING_PERIOD_S * len(self._flights)
        return self._doing

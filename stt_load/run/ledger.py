"""The master's books: every report of every worker accounted for, every row scored and handed on.

Scoring happens here, at the master's door, not in the loop that paces audio. It has an allowance: rows that come faster
than they can be scored are handed on as they are, and scored when the report is made.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stt_load.errors import Outcome
from stt_load.metrics.normaliser import ENGLISH, Normaliser
from stt_load.metrics.scorer import Scorer
from stt_load.records import UtteranceRecord

_ROWS = msgspec.json.Decoder(UtteranceRecord)
_LINES = msgspec.json.Encoder()
_NO_COMPLAINT = frozenset({Outcome.OK, Outcome.INTERRUPTED})


@dataclass(slots=True)
class WorkerState:
    """What one worker has said so far."""

    next_seq: int = 0
    missing_seq: int = 0
    total: int = 0
    rows: int = 0
    sign: int = -1
    stage: int = 0
    begun: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    speaking: int = 0
    in_flight: int = 0
    doing: Callable[[], Mapping[str, int]] = dict
    clips: Collection[str] = ()
    cpu_pct: float | None = None


@dataclass(slots=True)
class Allowance:
    """Time that may go into scoring: `share` of all time, and `burst_s` at once after a calm. `now`: any clock."""

    now: Callable[[], float]
    share: float = 0.5
    burst_s: float = 1.0
    _left_s: float = 0.0
    _seen_s: float | None = None

    def has_left(self) -> bool:
        now_s = self.now()
        earned_s = self.burst_s if self._seen_s is None else self.share * (now_s - self._seen_s)
        self._left_s, self._seen_s = min(self.burst_s, self._left_s + earned_s), now_s
        return self._left_s > 0

    def spend(self, work: Callable[[], None]) -> None:
        began_s = self.now()
        work()
        self._left_s -= self.now() - began_s


@dataclass(frozen=True, slots=True)
class ClipsInFlight:
    """Clips that callers speak now or spoke recently: whose words could have reached a caller that just ended.

    Looked up for the few whose words a message has; nothing is gathered.
    """

    last_heard_s: Mapping[str, float]
    recent_from_s: float
    books: Mapping[str, WorkerState]

    def __contains__(self, clip_id: object) -> bool:
        heard_s = self.last_heard_s.get(str(clip_id))
        if heard_s is not None and heard_s >= self.recent_from_s:
            return True
        return any(clip_id in book.clips for book in self.books.values())


class Ledger:
    """The books of one run. `references`: clip id → reference text. `write`: takes the lines of each report at once,
    whole and in one piece. `allowance`: without one, every row is scored. `utterance_limit_s`: no utterance lasts
    longer, so what was spoken before that can't reach a caller any more."""

    def __init__(
        self,
        run_id: str,
        references: Mapping[str, str],
        write: Callable[[bytes], None],
        utterance_limit_s: float = 120.0,
        normaliser: Normaliser = ENGLISH,
        allowance: Allowance | None = None,
    ) -> None:
        self._run_id = run_id
        self._write = write
        self._recent_s = utterance_limit_s
        self._scorer = Scorer(references, normaliser)
        self._allowance = allowance
        self._books: dict[str, WorkerState] = {}
        self._last_heard_s: dict[str, float] = {}  # clip id → when a row of it came last
        self.last_texts: deque[UtteranceRecord] = deque(maxlen=5)
        self.outcomes: Counter[str] = Counter()
        self.complaints: dict[tuple[str, str | None], str] = {}  # outcome and refusal → the first error of that kind

    def accept(self, worker: str, report: Mapping[str, Any], now_s: float) -> None:
        """Take one report. A report of another run (a late one of the run before) is left out."""
        if report["run_id"] != self._run_id:
            return
        book = self._books.setdefault(worker, WorkerState())
        book.missing_seq += max(0, report["seq"] - book.next_seq)
        book.next_seq = report["seq"] + 1
        for key in ("total", "sign", "stage", "begun", "speaking", "in_flight", "clips", "cpu_pct"):
            setattr(book, key, report[key])
        doing = report["doing"]
        book.doing = doing if callable(doing) else lambda: doing
        if report["rows"]:
            records = _records(report["rows"])
            # All of them first: two callers that ended since the last report were in flight together.
            self._last_heard_s.update((record.clip_id, now_s) for record in records)
            self._take_rows(book, records, now_s)

    def take_in(self, worker: str, lines: Iterable[bytes], now_s: float) -> None:
        """Rows of a worker in this process between two of its reports. They are taken one after the other, as fast as
        they are scored; those still to come are among the clips of its book."""
        if worker in self._books:
            self._take_rows(self._books[worker], map(_ROWS.decode, lines), now_s)

    def _take_rows(self, book: WorkerState, records: Iterable[UtteranceRecord], now_s: float) -> None:
        in_flight = ClipsInFlight(self._last_heard_s, now_s - self._recent_s, self._books)
        taken = []
        for record in records:
            self._last_heard_s[record.clip_id] = now_s
            self._score(record, in_flight)
            self._note(record)
            if record.is_counted:
                book.ended[record.stage] += 1
                book.refused[record.stage] += record.outcome == Outcome.REFUSED
            taken.append(record)
        self._write(_LINES.encode_lines(taken))
        book.rows += len(taken)

    def _score(self, record: UtteranceRecord, in_flight: Container[str]) -> None:
        allowance = self._allowance
        if allowance is None or self._scorer.knows(record):
            self._scorer.fill(record, in_flight)
        elif allowance.has_left():
            allowance.spend(lambda: self._scorer.fill(record, in_flight))

    def _note(self, record: UtteranceRecord) -> None:
        self.outcomes[record.outcome] += 1
        if record.text:
            self.last_texts.append(record)
        if record.outcome not in _NO_COMPLAINT:
            self.complaints.setdefault((record.outcome, record.refusal), record.error or "without a reason")

    # what the plan and the panel ask -------------------------------------------------------------------

    def begun(self, stage: int) -> int:
        return sum(book.begun for book in self._books.values() if book.stage == stage)

    def ended(self, stage: int) -> int:
        return sum(book.ended[stage] for book in self._books.values())

    def refused(self, stage: int) -> int:
        return sum(book.refused[stage] for book in self._books.values())

    def speaking(self, stage: int) -> int:
        """Callers that have begun an utterance in this stage."""
        return sum(book.speaking for book in self._books.values() if book.stage == stage)

    def is_current(self, workers: Sequence[str], sign: int) -> bool:
        """Every one of these workers has reported since it saw sign number `sign`."""
        return all(worker in self._books and self._books[worker].sign >= sign for worker in workers)

    def doing(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for book in self._books.values():
            total.update(book.doing())
        return total

    def in_flight(self) -> int:
        """Callers in the middle of an utterance, as last reported."""
        return sum(book.in_flight for book in self._books.values())

    def cpu_pct(self) -> float | None:
        """The busiest generator process, percent of one core, as last reported."""
        return max((book.cpu_pct for book in self._books.values() if book.cpu_pct is not None), default=None)

    def lose(self, worker: str) -> None:
        """A worker is gone: what it had begun can't end any more, so nobody waits for it."""
        book = self._books.get(worker)
        if book:
            book.doing, book.clips, book.speaking, book.in_flight = dict, (), 0, 0
            book.begun = book.ended[book.stage]

    def delivery(self) -> dict[str, Any]:
        """Rows received against utterances finished at the workers: equal, or rows were lost."""
        return {
            "rows": sum(book.rows for book in self._books.values()),
            "totals": {worker: book.total for worker, book in self._books.items()},
            "missing_seq": sum(book.missing_seq for book in self._books.values()),
        }


def _records(lines: bytes) -> Sequence[UtteranceRecord]:
    """A row that is no record (of a worker with another version of this program) costs itself and no other: the books
    will say that it is missing."""
    try:
        return _ROWS.decode_lines(lines)
    except ValueError:
        found = []
        for line in lines.split(b"\n"):
            with suppress(ValueError):
                found.append(_ROWS.decode(line))
        return found

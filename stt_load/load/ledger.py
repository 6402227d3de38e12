"""The master's books: every report of every worker accounted for, every row scored and handed on.

Scoring happens here, at the master's door, not in the loop that paces audio.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stt_load.errors import Outcome
from stt_load.metrics.foreign import foreign_messages
from stt_load.metrics.normaliser import ENGLISH, Normaliser
from stt_load.metrics.wer import scored
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class WorkerBook:
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
    doing: Mapping[str, int] = field(default_factory=dict)
    clips: Sequence[str] = ()
    cpu_pct: float | None = None


class Ledger:
    """The books of one run. `references`: clip id → reference text. `write`: takes each scored record at once.
    `utterance_limit_s`: no utterance lasts longer, so what was spoken before that can't reach a caller any more."""

    def __init__(
        self,
        run_id: str,
        references: Mapping[str, str],
        write: Callable[[UtteranceRecord], None],
        utterance_limit_s: float = 120.0,
        normaliser: Normaliser = ENGLISH,
    ) -> None:
        self._run_id = run_id
        self._references = references
        self._write = write
        self._recent_s = utterance_limit_s
        self._normaliser = normaliser
        self._books: dict[str, WorkerBook] = {}
        self._recent: deque[tuple[float, str]] = deque()
        self.last_texts: deque[UtteranceRecord] = deque(maxlen=5)
        self.outcomes: Counter[str] = Counter()
        self.complaints: dict[tuple[str, str | None], str] = {}  # outcome and refusal → the first error of that kind

    def accept(self, worker: str, report: Mapping[str, Any], now_s: float) -> None:
        """Take one report. A report of another run (a late one of the run before) is left out."""
        if report["run_id"] != self._run_id:
            return
        book = self._books.setdefault(worker, WorkerBook())
        book.missing_seq += max(0, report["seq"] - book.next_seq)
        book.next_seq = report["seq"] + 1
        book.rows += len(report["rows"])
        for key in ("total", "sign", "stage", "begun", "speaking", "doing", "clips", "cpu_pct"):
            setattr(book, key, report[key])
        # All of them first: two callers that ended since the last report were in flight together.
        self._recent.extend((now_s, row["clip_id"]) for row in report["rows"])
        in_flight = self._clips_in_flight(now_s) if report["rows"] else set()
        for row in report["rows"]:
            record = self._take_row(UtteranceRecord.from_row(row), in_flight)
            if record.is_counted:
                book.ended[record.stage] += 1
                book.refused[record.stage] += record.outcome == Outcome.REFUSED

    def _take_row(self, raw: UtteranceRecord, in_flight: set[str]) -> UtteranceRecord:
        others = [self._references[c] for c in in_flight if c != raw.clip_id and c in self._references]
        foreign = foreign_messages([text for _, text in raw.messages], raw.reference, others)
        record = replace(scored(raw, self._normaliser), foreign_text=foreign)
        self.outcomes[str(record.outcome)] += 1
        if record.text:
            self.last_texts.append(record)
        if record.outcome not in (Outcome.OK, Outcome.INTERRUPTED):
            self.complaints.setdefault((record.outcome, record.refusal), record.error or "without a reason")
        self._write(record)
        return record

    def _clips_in_flight(self, now_s: float) -> set[str]:
        """Clips that callers speak now or spoke recently: whose words could have reached a caller that just ended."""
        while self._recent and now_s - self._recent[0][0] > self._recent_s:
            self._recent.popleft()
        clips = {clip_id for _, clip_id in self._recent}
        return clips.union(*(book.clips for book in self._books.values()))

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
            total.update(book.doing)
        return total

    def cpu_pct(self) -> float | None:
        """The busiest generator process, percent of one core, as last reported."""
        return max((book.cpu_pct for book in self._books.values() if book.cpu_pct is not None), default=None)

    def lose(self, worker: str) -> None:
        """A worker is gone: what it had begun can't end any more, so nobody waits for it."""
        book = self._books.get(worker)
        if book:
            book.doing, book.clips, book.speaking = {}, (), 0
            book.begun = book.ended[book.stage]

    def delivery(self) -> dict[str, Any]:
        """Rows received against utterances finished at the workers: equal, or rows were lost."""
        return {
            "rows": sum(book.rows for book in self._books.values()),
            "totals": {worker: book.total for worker, book in self._books.items()},
            "missing_seq": sum(book.missing_seq for book in self._books.values()),
        }

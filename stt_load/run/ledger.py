"""The master's ledger: every report of every worker is accounted for, every row scored and written.

Scoring happens here, at the master's door, not in the loop that paces audio. It has an allowance: rows that come faster
than they can be scored are written as they are, and scored when the report is made.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from stt_load.audio.clip import ClipWord
from stt_load.clock import Clock, SteadyWallClock
from stt_load.metrics.failures import has_failed
from stt_load.metrics.normaliser import ENGLISH, Normaliser
from stt_load.metrics.scorer import Scorer
from stt_load.records import UtteranceRecord, without_rare_keys
from stt_load.run.recent_clips import ClipsInFlight, RecentClips
from stt_load.run.worker_report import Snapshot
from stt_load.run.worker_state import StageTally, WorkerState
from stt_load.session.advice import Advisor

_ROWS = msgspec.json.Decoder(UtteranceRecord)
_LINES = msgspec.json.Encoder()
_MOST_CHARACTERS = 4_000  # a row with more is scored when the report is made: that takes too long while audio is due


@dataclass(slots=True)
class Allowance:
    """How much time may go into scoring: `share` of all time, and `burst_s` at once after a calm."""

    clock: Clock
    share: float = 0.5
    burst_s: float = 1.0
    _left_s: float = 0.0
    _asked_s: float | None = None

    def has_left(self) -> bool:
        now_s = self.clock()
        earned_s = self.burst_s if self._asked_s is None else self.share * (now_s - self._asked_s)
        self._left_s, self._asked_s = min(self.burst_s, self._left_s + earned_s), now_s
        return self._left_s > 0

    def spend(self, work: Callable[[], None]) -> None:
        began_s = self.clock()
        work()
        self._left_s -= self.clock() - began_s


class Ledger:
    """The accounts of one run.

    `references`: clip id → reference text. `write`: takes the lines of each report at once, whole and in one piece.
    `wall_clock`: the run's; the moments of workers with another one are moved to it. `allowance`: without one, every
    row is scored. `utterance_limit_s`: no utterance lasts longer, so what was spoken before that can't reach a caller
    any more. `on_counted`: takes each counted utterance, scored as far as there was time. `words`: clip id → when its
    words sound.
    """

    def __init__(
        self,
        run_id: str,
        references: Mapping[str, str],
        write: Callable[[bytes], None],
        utterance_limit_s: float = 120.0,
        normaliser: Normaliser = ENGLISH,
        allowance: Allowance | None = None,
        wall_clock: SteadyWallClock | None = None,
        on_counted: Callable[[UtteranceRecord], None] = lambda record: None,
        words: Mapping[str, Sequence[ClipWord]] | None = None,
    ) -> None:
        self._run_id = run_id
        self._write = write
        self._recent_s = utterance_limit_s
        self._scorer = Scorer(references, normaliser, words)
        self._allowance = allowance
        self._wall_clock = wall_clock
        self._on_counted = on_counted
        self._workers: dict[str, WorkerState] = {}
        self._recent = RecentClips()
        self.last_texts: deque[UtteranceRecord] = deque(maxlen=5)
        self.outcomes: Counter[str] = Counter()
        self._told_s: dict[int, float] = {}  # when each stage update was sent, by its number
        self.drained: set[str] = set()  # workers that have sent their last report
        self.fault: Exception | None = None  # of ours, the first one met with a row
        self.advisor = Advisor()
        self.first_failures: dict[tuple[str, str | None], UtteranceRecord] = {}  # by outcome and refusal

    def accept(self, worker: str, snapshot: Snapshot, now_s: float, rows: bytes = b"") -> None:
        """Takes one report. A report of another run (a late one of the run before) is left out."""
        if snapshot.run_id != self._run_id:
            return
        state = self._workers.setdefault(worker, WorkerState(snapshot))
        state.newest, state.heard_s = snapshot, now_s
        state.missing_seq += max(0, snapshot.seq - state.next_seq)
        state.next_seq = snapshot.seq + 1
        if self._wall_clock is not None:
            told_s = self._told_s.get(snapshot.update_seq, -math.inf)
            state.compare_clocks(self._wall_clock.at(now_s), self._wall_clock.at(told_s))
        if rows:
            records = _records(rows)
            # All of them first: two callers that ended since the last report were in flight together.
            try:
                for record in records:
                    self._recent.note(record, now_s)
            except Exception as error:
                self.fault = self.fault or error
            self._take(state, records, now_s)

    def note_told(self, update_seq: int, now_s: float) -> None:
        """The stage update with this number is about to be sent to the workers."""
        self._told_s[update_seq] = now_s

    def take_rows(self, worker: str, lines: Iterable[bytes], now_s: float) -> None:
        """Takes rows of a worker in this process, one after the other, as fast as they are scored. Its last snapshot
        names the clips of those still to come. KeyError before its first snapshot."""
        self._take(self._workers[worker], self._noted(map(_ROWS.decode, lines), now_s), now_s)

    def _noted(self, records: Iterable[UtteranceRecord], now_s: float) -> Iterator[UtteranceRecord]:
        for record in records:
            self._recent.note(record, now_s)
            yield record

    def _take(self, worker: WorkerState, records: Iterable[UtteranceRecord], now_s: float) -> None:
        taken = []
        try:
            for record in records:
                taken.append(record)
                try:
                    self._account(worker, record, now_s)
                except Exception as error:  # Locust would swallow it, and with it every row that came along
                    self.fault = self.fault or error
        finally:
            self._write(without_rare_keys(_LINES.encode_lines(taken)))
            worker.rows += len(taken)

    def _account(self, worker: WorkerState, record: UtteranceRecord, now_s: float) -> None:
        record.started_at += worker.clock_shift_s
        self._score(record, ClipsInFlight(record, self._recent, now_s - self._recent_s, self._workers))
        self._recent.end(record)
        self._count(record)
        if record.is_counted:
            worker.stages[record.stage].add(record)
            self._on_counted(record)

    def _score(self, record: UtteranceRecord, around: ClipsInFlight) -> None:
        allowance = self._allowance
        if allowance is None:
            self._scorer.fill(record, around)
            self._scorer.fill_screen(record)
        elif _is_quickly_scored(record):
            if not self._scorer.fill_cached(record, around) and allowance.has_left():
                allowance.spend(lambda: self._scorer.fill(record, around))
            if record.screen is not None and allowance.has_left():
                allowance.spend(lambda: self._scorer.fill_screen(record))

    def _count(self, record: UtteranceRecord) -> None:
        self.outcomes[record.outcome] += 1
        if record.text:
            self.last_texts.append(record)
        self.advisor.note(record)
        if has_failed(record) or record.is_own_fault:
            self.first_failures.setdefault((record.outcome, record.refusal), record)

    # what the plan and the live view ask ---------------------------------------------------------------

    def begun(self, stage: int) -> int:
        """Counted utterances that have begun in this stage."""
        return sum(snapshot.begun for snapshot in self._newest() if snapshot.stage == stage)

    def tally(self, stage: int) -> StageTally:
        """How the counted utterances of this stage have ended, over all workers."""
        return sum((worker.stages[stage] for worker in self._workers.values()), StageTally())

    def ended(self, stage: int) -> int:
        """Counted utterances of this stage that have ended."""
        return self.tally(stage).ended

    def speaking(self, stage: int) -> int:
        """Callers that have begun an utterance in this stage."""
        return sum(snapshot.speaking for snapshot in self._newest() if snapshot.stage == stage)

    def counted_callers(self, stage: int) -> int:
        """Callers that have begun a counted utterance in this stage."""
        return sum(snapshot.counted_callers for snapshot in self._newest() if snapshot.stage == stage)

    def is_current(self, workers: Sequence[str], update_seq: int) -> bool:
        """Every one of these workers has reported since it heard this stage update."""
        return all(
            worker in self._workers and self._workers[worker].newest.update_seq >= update_seq for worker in workers
        )

    def silence_s(self, worker: str, now_s: float) -> float:
        """How long this worker has not reported; 0 before its first report."""
        return now_s - self._workers[worker].heard_s if worker in self._workers else 0.0

    def caller_states(self) -> Counter[str]:
        """Active callers by what they do, as last reported."""
        total: Counter[str] = Counter()
        for snapshot in self._newest():
            total.update(snapshot.caller_states)
        return total

    def in_flight(self) -> int:
        """Callers in the middle of an utterance, as last reported."""
        return sum(snapshot.in_flight for snapshot in self._newest())

    def on_the_line(self) -> int:
        """Callers in the middle of a call, as last reported; with --arrivals."""
        return sum(snapshot.calls or 0 for snapshot in self._newest())

    def are_ready_for_calls(self, workers: Sequence[str]) -> bool:
        """Every one of these workers has reported that it could play calls."""
        return all(worker in self._workers and self._workers[worker].newest.calls is not None for worker in workers)

    def cpu_pct(self) -> float | None:
        """The busiest generator process, percent of one core, as last reported."""
        return max((snapshot.cpu_pct for snapshot in self._newest() if snapshot.cpu_pct is not None), default=None)

    def drop_worker(self, worker: str) -> None:
        """A worker is gone: what it had begun can't end any more, so nobody waits for it."""
        state = self._workers.get(worker)
        if state is not None:
            newest = state.newest
            state.newest = msgspec.structs.replace(
                newest,
                begun=state.stages[newest.stage].ended,
                speaking=0,
                counted_callers=0,
                in_flight=0,
                caller_states={},
                clips=frozenset(),
                calls=0,
            )

    def delivery(self) -> dict[str, Any]:
        """Rows received against utterances finished at the workers: equal, or rows were lost."""
        return {
            "rows": sum(worker.rows for worker in self._workers.values()),
            "totals": {name: worker.newest.total for name, worker in self._workers.items()},
            "missing_seq": sum(worker.missing_seq for worker in self._workers.values()),
        }

    def clock_notes(self) -> list[str]:
        """One line for each worker whose wall clock is another than the master's."""
        return [
            f"the clock of load worker {name} is {abs(state.clock_shift_s):,.0f} s "
            f"{'behind' if state.clock_shift_s > 0 else 'ahead of'} the master's: its rows are told by the master's"
            for name, state in self._workers.items()
            if state.clock_shift_s
        ]

    def _newest(self) -> Iterable[Snapshot]:
        return [worker.newest for worker in self._workers.values()]


def _is_quickly_scored(record: UtteranceRecord) -> bool:
    return len(record.text) + sum(len(text) for _, text in record.messages) <= _MOST_CHARACTERS


def _records(lines: bytes) -> Sequence[UtteranceRecord]:
    """Decodes rows. One that is no record (of a worker with another version of this program) costs itself and no
    other: the ledger says that it is missing."""
    try:
        return _ROWS.decode_lines(lines)
    except ValueError:
        found = []
        for line in lines.split(b"\n"):
            with suppress(ValueError):
                found.append(_ROWS.decode(line))
        return found

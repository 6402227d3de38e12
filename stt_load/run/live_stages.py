"""What is known of the stages while the run goes on: the current one row by row, those that have ended as their report.

A stage that has ended is read from the raw files by the code that makes the report, so that its verdict is the one that
the report prints. That costs this process time in which it may have audio to send, so it is done in the settle, in
which there is no load. Where stages have no settle (the web UI), it is done only while the files are small.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent

from stt_load.errors import Outcome
from stt_load.metrics.failures import Failure, FailureGroups, has_failed
from stt_load.metrics.quantiles import Distribution
from stt_load.process.log import log
from stt_load.records import UtteranceRecord
from stt_load.report.model import RunReport, StageReport
from stt_load.report.raw_files import UTTERANCES, parts_of
from stt_load.report.report_files import read_report
from stt_load.run.plan import Phase
from stt_load.run.real_thread import call_in_thread
from stt_load.run.stage_update import StageUpdate
from stt_load.session.advice import Advisor

MOST_BYTES_UNDER_LOAD = 8 * 2**20
"""Utterances of so many bytes, about 5,000, are read in a tenth of a second."""

NEWEST = 50_000
"""So many utterances of a stage, the newest ones, have a part in the latencies that are shown while it goes on: they
are sorted twice a second, and a soak has millions."""

_WRITTEN_PERIOD_S = 0.1


@dataclass(frozen=True, slots=True)
class LiveStage:
    """The counted utterances of one stage as far as they have come. Latencies are seconds."""

    stage: int
    users: int
    ended: int  # counted utterances that have ended, the interrupted ones included
    outcomes: Mapping[str, int]
    headline: Distribution  # EOS latency, or what the kind of load has instead; the newest completed utterances
    failures: tuple[Failure, ...]  # most frequent first, as the report lists them
    word_errors: int  # of completed utterances that are scored already
    reference_words: int
    frames: int
    frames_late: int
    gpu_pct: float | None = None  # mean utilisation of the busiest GPU in the hold, as far as its samples have come
    rate: str | None = None  # of its calls, with --arrivals

    @property
    def name(self) -> str:
        return self.rate or str(self.users)

    @property
    def ok(self) -> int:
        return self.outcomes.get(Outcome.OK, 0)

    @property
    def errors(self) -> int:
        """Utterances that failed; those that were cut off by the end of the run are not among them."""
        return self.ended - self.ok - self.outcomes.get(Outcome.INTERRUPTED, 0)

    @property
    def wer(self) -> float | None:
        """Word errors over reference words, of what is scored already; a ratio."""
        return self.word_errors / self.reference_words if self.reference_words else None

    @property
    def late_frames(self) -> float | None:
        """Share of the frames that were handed over late; a ratio."""
        return self.frames_late / self.frames if self.frames else None


@dataclass(slots=True)
class StageCounts:
    """The counts that a `LiveStage` is made of. Adding a record costs about a microsecond, one that failed ten."""

    failures: FailureGroups = field(default_factory=FailureGroups)
    outcomes: Counter[str] = field(default_factory=Counter)
    headline_s: array[float] = field(default_factory=lambda: array("d"))
    word_errors: int = 0
    reference_words: int = 0
    frames: int = 0
    frames_late: int = 0
    gpus: dict[tuple[str, int], list[float]] = field(default_factory=dict)  # number and sum of its samples, by GPU

    def add(self, record: UtteranceRecord) -> None:
        self.outcomes[record.outcome] += 1
        self.frames += record.frames
        self.frames_late += record.frames_late
        if record.is_ok:
            if record.headline_s is not None:
                self.headline_s.append(record.headline_s)
                if len(self.headline_s) > 2 * NEWEST:
                    del self.headline_s[:NEWEST]
            if record.reference_words:
                self.reference_words += record.reference_words
                self.word_errors += record.word_errors
        elif has_failed(record):
            self.failures.add([record])

    def add_gpu(self, gpu: tuple[str, int], sm_pct: float) -> None:
        sums = self.gpus.setdefault(gpu, [0, 0.0])
        sums[0] += 1
        sums[1] += sm_pct

    @property
    def gpu_pct(self) -> float | None:
        return max((total / n for n, total in self.gpus.values()), default=None)


class LiveStages:
    """All stages of one run. `is_written`: whether every line is in the files of the folder. `read`: makes the report
    of a run folder; in a real thread, so it must not use gevent."""

    def __init__(
        self,
        folder: Path,
        is_written: Callable[[], bool] = lambda: True,
        read: Callable[[Path], RunReport] = read_report,
    ) -> None:
        # Of the stages that have ended; what it says of the whole run holds only once the run is closed.
        self.ended: RunReport | None = None
        self._folder = folder
        self._is_written = is_written
        self._read = read
        self._advisor = Advisor()
        self._counts: dict[int, StageCounts] = {}
        self._users: dict[int, int] = {}
        self._rates: dict[int, str] = {}
        self._stage = 0
        self._is_on = True  # the stage counts utterances, or is going to
        self._is_reading: set[int] = set()

    def add(self, record: UtteranceRecord) -> None:
        """Takes in a counted utterance that has ended."""
        self._advisor.note(record)
        self._counts_of(record.stage).add(record)

    def _counts_of(self, stage: int) -> StageCounts:
        if stage not in self._counts:
            self._counts[stage] = StageCounts(FailureGroups(self._advisor.find_advice))
        return self._counts[stage]

    def add_sample(self, sample: Mapping[str, Any]) -> None:
        """Takes in a sample of a sidecar, tagged with the stage in which it was made."""
        sm_pct = sample.get("sm_pct")
        if (
            sample.get("phase") == Phase.HOLD
            and isinstance(sm_pct, (int, float))
            and sample.get("stage") in self._users
        ):
            counts = self._counts_of(sample["stage"])
            counts.add_gpu((str(sample.get("host")), int(sample.get("gpu") or 0)), sm_pct)

    @property
    def current(self) -> LiveStage:
        """The stage that is on."""
        return self.live(self._stage)

    def live(self, stage: int) -> LiveStage:
        """One stage by its counts, whether it has ended or not."""
        counts = self._counts.get(stage) or StageCounts()
        return LiveStage(
            stage=stage,
            users=self._users.get(stage, 0),
            ended=counts.outcomes.total(),
            outcomes=dict(counts.outcomes),
            headline=Distribution.of(counts.headline_s),
            failures=counts.failures.listed(),
            word_errors=counts.word_errors,
            reference_words=counts.reference_words,
            frames=counts.frames,
            frames_late=counts.frames_late,
            gpu_pct=counts.gpu_pct,
            rate=self._rates.get(stage),
        )

    @property
    def judged_stages(self) -> tuple[StageReport, ...]:
        """The reports of the stages that have ended. One that was made under load has the stage that is on, too, and
        has it until its settle has made another."""
        stages = self.ended.stages if self.ended else ()
        return tuple(
            each
            for each in stages
            if (each.figures.stage < self._stage or not self._is_on) and self.is_read(each.figures.stage)
        )

    def judged(self, stage: int) -> StageReport | None:
        """The report of a stage that has ended; None where there is none yet."""
        return next((each for each in self.judged_stages if each.figures.stage == stage), None)

    def close(self, report: RunReport) -> None:
        """The run is over: `report` is the one that its folder has."""
        self.ended, self._is_on = report, False

    def is_read(self, stage: int) -> bool:
        """Nothing is being read of this stage any more: its report is there, or can't be made."""
        return stage not in self._is_reading

    def announce(self, update: StageUpdate) -> None:
        """A phase begins, and its line is in the file: the report of the stages that have ended is made."""
        is_new = update.stage != self._stage
        self._stage, self._users[update.stage] = update.stage, update.users
        if update.load is not None:
            self._rates[update.stage] = update.load.rate
        self._is_on = update.phase is not Phase.SETTLE
        if update.phase is Phase.SETTLE:
            self._begin_to_read(update.stage)
        elif is_new and self.judged(update.stage - 1) is None and self._is_small:
            self._begin_to_read(update.stage - 1)

    def _begin_to_read(self, stage: int) -> None:
        self._is_reading.add(stage)
        gevent.spawn(self._read_ended, stage)

    def _read_ended(self, stage: int) -> None:
        try:
            while not self._is_written():  # the disk is full: without the lines that wait, the stage would look damaged
                gevent.sleep(_WRITTEN_PERIOD_S)
            self.ended = call_in_thread(self._read, self._folder)
        except Exception as error:  # the run goes on, and its report is made when it ends
            log.warning("stage %d can't be judged while the run goes on: %s", stage + 1, error)
        finally:
            self._is_reading.discard(stage)

    @property
    def _is_small(self) -> bool:
        try:
            parts = parts_of(self._folder / UTTERANCES)
            return sum(part.stat().st_size for part in parts) <= MOST_BYTES_UNDER_LOAD
        except OSError:
            return True

"""Adds up all utterances of a run, stage by stage, in one pass: no record is kept but a few dozen for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stt_load.capacity.call_tally import CallTally
from stt_load.capacity.caller_counts import CallerTally
from stt_load.metrics.before_hold import BeforeHold
from stt_load.metrics.connection_age import ConnectionAges
from stt_load.metrics.drift import DriftWatch
from stt_load.metrics.duty import DutyCycle
from stt_load.metrics.hold_frames import HoldFrames
from stt_load.metrics.model_tags import has_model_tags
from stt_load.metrics.pauses import PauseTallies
from stt_load.metrics.recovery import SpikeWatch
from stt_load.metrics.stage import StageStats
from stt_load.metrics.transcript_fit import TranscriptSample
from stt_load.records import UtteranceRecord
from stt_load.report.late_scores import LateScores
from stt_load.report.run_timeline import LateFrames, StageDots
from stt_load.report.worst_utterances import WorstUtterances
from stt_load.session.advice import Advisor


@dataclass(slots=True)
class StageAggregate:
    """The utterances of one stage. `duty`, `hold_frames`, `before_hold`: None where its hold never ended."""

    stats: StageStats
    duty: DutyCycle | None
    hold_frames: HoldFrames | None
    before_hold: BeforeHold | None
    worst: WorstUtterances
    dots: StageDots
    callers: CallerTally | None = None  # of a search: its objectives by caller
    calls: CallTally | None = None  # with --arrivals
    ages: ConnectionAges = field(default_factory=ConnectionAges)
    pauses: PauseTallies = field(default_factory=PauseTallies)
    transcripts: TranscriptSample = field(default_factory=TranscriptSample)
    drift: DriftWatch | None = None  # of a soak

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        self.stats.add(records)
        self.transcripts.add(records)
        self.ages.add(records)
        self.pauses.add(records)
        self.worst.add(records)
        self.dots.add(records)
        if self.callers is not None:
            self.callers.add(records)
        if self.duty is not None:
            self.duty.add(records)
        for of_hold in (self.hold_frames, self.before_hold, self.drift, self.calls):
            if of_hold is not None:
                of_hold.add(records)


@dataclass(slots=True)
class RunAggregate:
    """All utterances of a run. `rows`: how many there are. `without_stage`: those whose stage stages.jsonl lacks.
    `tagged`: those whose transcript has tags of the model in it."""

    stages: Mapping[int, StageAggregate]
    late_frames: LateFrames
    advisor: Advisor
    rows: int = 0
    without_stage: int = 0
    tagged: int = 0
    spike: SpikeWatch | None = None  # of a run with a spike

    def add(self, utterances: Iterable[Sequence[UtteranceRecord]], late: LateScores) -> None:
        """Adds every utterance, some thousand at a time. They are read a second time if one may hold foreign text."""
        for records in utterances:
            late.fill(records)
            self.rows += len(records)
            for record in records:
                self.advisor.note(record)
            self.late_frames.add(records)
            if self.spike is not None:
                self.spike.add(records)
            self.tagged += sum([has_model_tags(record.text) and record.is_transcribed for record in records])
            for stage, mine in _by_stage(records).items():
                if stage in self.stages:
                    self.stages[stage].add(mine)
                else:
                    self.without_stage += len(mine)
        for (stage, origin), messages in late.found(utterances).items():
            if stage in self.stages:
                self.stages[stage].stats.counts[origin] += messages


def _by_stage(records: Sequence[UtteranceRecord]) -> dict[int, list[UtteranceRecord]]:
    groups: dict[int, list[UtteranceRecord]] = {}
    for record in records:
        groups.setdefault(record.stage, []).append(record)
    return groups

"""What all rows of a run come to, stage by stage, in one pass: sums and columns, no record is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stt_load.metrics.ages import Ages
from stt_load.metrics.duty import DutyCycle
from stt_load.metrics.stage import StageStats
from stt_load.records import UtteranceRecord
from stt_load.report.late_scores import LateScores


@dataclass(slots=True)
class StageTally:
    """The rows of one stage. `duty`: None where its hold never ended."""

    stats: StageStats
    duty: DutyCycle | None
    ages: Ages = field(default_factory=Ages)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        self.stats.add(records)
        self.ages.add(records)
        if self.duty is not None:
            self.duty.add(records)


@dataclass(slots=True)
class Tally:
    """`rows`: all there are. `astray`: those of a stage that nobody knows."""

    stages: Mapping[int, StageTally]
    rows: int = 0
    astray: int = 0

    def add(self, utterances: Iterable[Sequence[UtteranceRecord]], late: LateScores) -> None:
        """`utterances`: every row, some thousand at a time; gone through a second time where that is needed."""
        for records in utterances:
            late.fill(records)
            self.rows += len(records)
            for stage, mine in _by_stage(records).items():
                if stage in self.stages:
                    self.stages[stage].add(mine)
                else:
                    self.astray += len(mine)
        for stage, messages in late.foreign(utterances).items():
            if stage in self.stages:
                self.stages[stage].stats.counts["foreign_text"] += messages


def _by_stage(records: Sequence[UtteranceRecord]) -> dict[int, list[UtteranceRecord]]:
    groups: dict[int, list[UtteranceRecord]] = {}
    for record in records:
        groups.setdefault(record.stage, []).append(record)
    return groups

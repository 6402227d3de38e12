"""Reads the values of a run's utterances with their callers and their times, which a report doesn't keep."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stt_load.errors import Outcome
from stt_load.metrics.caller_bootstrap import StageSample
from stt_load.metrics.figures import Figure
from stt_load.metrics.utterance_value import utterance_value
from stt_load.records import UtteranceRecord
from stt_load.report.damage import Damage
from stt_load.report.raw_files import UTTERANCES
from stt_load.report.raw_lines import RawLines
from stt_load.report.raw_rows import utterances_of

_CALLERS_OF_WORKER = 1 << 32


def _new_floats() -> array[float]:
    return array("d")


def _new_numbers() -> array[int]:
    return array("q")


@dataclass(slots=True)
class CallerValues:
    """The counted utterances of one stage that were not interrupted, without those in which nobody spoke: a column for
    each thing that is kept of them. A value is NaN where the utterance has none."""

    callers: array[int] = field(default_factory=_new_numbers)
    began_s: array[float] = field(default_factory=_new_floats)
    has_failed: array[float] = field(default_factory=_new_floats)  # 0 or 1
    values: dict[str, array[float]] = field(default_factory=dict)  # by name of the figure

    def add(self, records: Sequence[UtteranceRecord], figures: Iterable[Figure]) -> None:
        self.callers.extend([record.worker * _CALLERS_OF_WORKER + record.user for record in records])
        self.began_s.extend([record.started_at for record in records])
        self.has_failed.extend([float(not record.is_ok) for record in records])
        for figure in figures:
            values = (utterance_value(figure, record) for record in records)
            column = self.values.setdefault(figure.name, _new_floats())
            column.extend([math.nan if value is None else value for value in values])

    def sample(self, figure: Figure) -> StageSample:
        """The values of a figure, as `utterance_value` has them."""
        values = np.array(self.values[figure.name])
        has_one = ~np.isnan(values)
        return StageSample(values[has_one], np.array(self.callers)[has_one], np.array(self.began_s)[has_one])

    def failures(self) -> StageSample:
        """1 for each utterance that failed, 0 for each that did not."""
        return StageSample(np.array(self.has_failed), np.array(self.callers), np.array(self.began_s))


def read_caller_values(
    folder: Path, run_id: str | None, kind: str, figures: Sequence[Figure]
) -> Mapping[int, CallerValues]:
    """The values of these figures, by the number of the stage. Raises ConfigError where the file can't be read."""
    stages: dict[int, CallerValues] = {}
    lines = RawLines(folder / UTTERANCES, Damage(), UtteranceRecord, utterances_of(run_id, kind))
    for records in lines:
        counted: dict[int, list[UtteranceRecord]] = {}
        for record in records:
            if record.is_counted and not record.is_silent and record.outcome != Outcome.INTERRUPTED:
                counted.setdefault(record.stage, []).append(record)
        for stage, rows in counted.items():
            stages.setdefault(stage, CallerValues()).add(rows, figures)
    return stages

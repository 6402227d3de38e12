"""The one declaration of every figure of a history: how the table, the charts, the CSV and the check call it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stt_load.history.run_row import RunRow
from stt_load.metrics.figures import FAILED, NOTHING


@dataclass(frozen=True, slots=True)
class HistoryFigure:
    """One figure. `field`: of a stage's row; None for the callers that a run holds. Values times `factor` are in
    `unit`, and people read so many `digits` of them; None: as many as there are.

    `heading`: of the table. `title`: of the chart. `name`: in the lines of a check. `column`: of the CSV.
    `least_ratio`, `least`: what a change must be more than, as a share of the median and without the factor.
    """

    field: str | None
    heading: str
    title: str
    name: str
    column: str
    unit: str = ""
    factor: float = 1.0
    digits: int | None = None
    least_ratio: float = 0.05
    least: float = 0.0
    is_better_high: bool = False

    def value(self, run: RunRow, users: int | None) -> float | None:
        """The value of a run; where it is a stage's, with so many callers. None: not measured."""
        if self.field is None:
            return run.holds
        stage = None if users is None else run.at(users)
        value: float | None = None if stage is None else getattr(stage, self.field)
        return value

    def number(self, value: float | None, more_digits: int = 0) -> str:
        """A value as a cell of the table."""
        if value is None:
            return NOTHING
        if math.isinf(value):
            return FAILED
        return f"{value:g}" if self.digits is None else f"{self.factor * value:.{self.digits + more_digits}f}"

    def told(self, value: float | None) -> str:
        """The same with its unit."""
        text = self.number(value)
        return text if text in (NOTHING, FAILED) or not self.unit else f"{text} {self.unit}"


HELD = HistoryFigure(None, "holds", "Callers held", "callers held", "callers_held", is_better_high=True)
OF_STAGES = (
    HistoryFigure("p95_s", "p95 s", "Latency p95", "p95", "p95_s", "s", digits=3, least=0.01),
    HistoryFigure("wer", "WER%", "Word error rate", "WER", "wer_pct", "%", 100, 1, least=0.005),
    HistoryFigure("error_rate", "errors%", "Error rate", "error rate", "error_rate_pct", "%", 100, 1, least=0.005),
    HistoryFigure(
        *("energy_j", "J per audio min", "Energy per audio minute", "energy per audio minute"),
        *("energy_per_audio_minute_j", "J"),
        digits=0,
    ),
)
FIGURES = (HELD, *OF_STAGES)
"""Another figure is another row, and a field of `run_row.StageRow`."""

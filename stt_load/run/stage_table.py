"""The short table of stages that people watch while a run goes on, in the terminal and in the web UI.

Its columns are those of the report's table that matter meanwhile. Stages that have ended are as the report judges them;
the current one has what is known so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stt_load.kinds import LoadKind
from stt_load.metrics.figures import FIGURES_BY_NAME, NOTHING, TableColumn, headline_of
from stt_load.report.table import table_cell
from stt_load.report.wording import names_of
from stt_load.run.live_stages import LiveStage, LiveStages

NOW = "now"
"""What stands in place of the verdict of the stage that is on."""

RUNNING = "running"

LiveValue = Callable[[LiveStage], float | None]


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: a figure by its name, and its value in a stage that is on."""

    figure: str
    column: TableColumn
    live: LiveValue


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage, as text cells. `verdict`: of the report; RUNNING for the stage that is on."""

    cells: tuple[str, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class StageTable:
    """`headings` and cells are in the same order: callers first, then the verdict, then figures."""

    headings: tuple[str, ...]
    rows: tuple[StageRow, ...]


def stage_table(live: LiveStages, kind: LoadKind, is_over: bool = False) -> StageTable:
    """All stages so far. `is_over`: the run is closed, so that no stage is on."""
    columns = [column for column in _columns(kind) if kind in FIGURES_BY_NAME[column.figure].kinds]
    stages = live.judged_stages
    names = names_of(stages)
    rows = []
    for stage in stages:
        cells = [table_cell(FIGURES_BY_NAME[column.figure], column.column)(stage) for column in columns]
        rows.append(StageRow((names[stage.figures.stage], stage.mark, *cells), str(stage.verdict)))
    now = live.current
    if not is_over and now.users and live.judged(now.stage) is None:
        cells = [_text(column, column.live(now)) for column in columns]
        rows.append(StageRow((now.name, NOW, *cells), RUNNING))
    return _without_empty(
        StageTable(
            ("calls" if now.rate else kind.callers, "verdict", *(each.column.heading for each in columns)), tuple(rows)
        )
    )


def _without_empty(table: StageTable) -> StageTable:
    """The table without the column of the GPU where no sidecar watches one."""
    if any(row.cells[-1] != NOTHING for row in table.rows):
        return table
    return StageTable(table.headings[:-1], tuple(StageRow(row.cells[:-1], row.verdict) for row in table.rows))


def _columns(kind: LoadKind) -> tuple[_Column, ...]:
    headline = headline_of(kind)
    percentiles = [column for column in headline.table if column.statistic in ("p50", "p95")]
    return (
        *(_Column(headline.name, column, _percentile(column.statistic or "")) for column in percentiles),
        _Column("wer", TableColumn("WER%", None, 1, 100), lambda stage: stage.wer),
        _Column("n", TableColumn("n"), lambda stage: stage.ended),
        _Column("errors", TableColumn("errors"), lambda stage: stage.errors),
        _Column("late_frames", TableColumn("late%", None, 1, 100), lambda stage: stage.late_frames),
        _Column("gpu_util", TableColumn("GPU%", "mean"), lambda stage: stage.gpu_pct),
    )


def _percentile(statistic: str) -> LiveValue:
    return lambda stage: stage.headline.statistic(statistic)


def _text(column: _Column, value: float | None) -> str:
    return NOTHING if value is None else f"{value * column.column.factor:.{column.column.digits}f}"

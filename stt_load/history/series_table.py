"""The rows of one series as text cells: console and page print the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from stt_load.history.figures import FIGURES, HistoryFigure
from stt_load.history.run_row import RunRow
from stt_load.history.series import Series
from stt_load.metrics.figures import NOTHING


def date_of(run: RunRow) -> str:
    return NOTHING if run.started_at is None else datetime.fromtimestamp(run.started_at, UTC).strftime("%Y-%m-%d %H:%M")


def series_columns(series: Series) -> dict[str, tuple[str, ...]]:
    """The columns from left to right: heading -> its cell of each run, newest first. Those that nothing fills are left
    out."""

    def cell_of(figure: HistoryFigure) -> Callable[[RunRow], str]:
        return lambda run: figure.number(figure.value(run, series.users))

    cells: dict[str, Callable[[RunRow], str]] = {
        "date (UTC)": date_of,
        "verdict": lambda run: str(run.verdict),
        **{figure.heading: cell_of(figure) for figure in FIGURES},
        "version": lambda run: run.version or NOTHING,
        "folder": lambda run: run.folder.name,
    }
    filled = {heading: tuple(map(cell, reversed(series.runs))) for heading, cell in cells.items()}
    return {heading: column for heading, column in filled.items() if set(column) != {NOTHING}}

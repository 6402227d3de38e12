"""The rows of one series as text cells: console and page print the same."""

from __future__ import annotations

from collections.abc import Callable

from stt_load.history.figures import FIGURES, HistoryFigure
from stt_load.history.run_row import RunRow
from stt_load.history.series import Series
from stt_load.metrics.figures import NOTHING
from stt_load.report.wording import utc_minute


def date_of(run: RunRow) -> str:
    return NOTHING if run.started_at is None else utc_minute(run.started_at)


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

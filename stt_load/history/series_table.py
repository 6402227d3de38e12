"""The rows of one series as text cells: console and page print the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

from stt_load.history.run_row import RunRow, StageRow
from stt_load.history.series import Series
from stt_load.metrics.figures import FAILED, NOTHING


def date_of(run: RunRow) -> str:
    return NOTHING if run.started_at is None else datetime.fromtimestamp(run.started_at, UTC).strftime("%Y-%m-%d %H:%M")


def series_columns(series: Series) -> dict[str, tuple[str, ...]]:
    """The columns from left to right: heading -> its cell of each run, newest first. Those that nothing fills are left
    out."""

    def of_stage(
        value: Callable[[StageRow], float | None], digits: int, factor: float = 1.0
    ) -> Callable[[RunRow], str]:
        def cell(run: RunRow) -> str:
            stage = None if series.users is None else run.at(series.users)
            number = None if stage is None else value(stage)
            if number is None:
                return NOTHING
            return FAILED if math.isinf(number) else f"{factor * number:.{digits}f}"

        return cell

    cells: dict[str, Callable[[RunRow], str]] = {
        "date (UTC)": date_of,
        "verdict": lambda run: str(run.verdict),
        "holds": lambda run: NOTHING if run.holds is None else str(run.holds),
        "p95 s": of_stage(lambda stage: stage.p95_s, 3),
        "WER%": of_stage(lambda stage: stage.wer, 1, 100),
        "errors%": of_stage(lambda stage: stage.error_rate, 1, 100),
        "J per audio min": of_stage(lambda stage: stage.energy_j, 0),
        "version": lambda run: run.version or NOTHING,
        "folder": lambda run: run.folder.name,
    }
    filled = {heading: tuple(map(cell, reversed(series.runs))) for heading, cell in cells.items()}
    return {heading: column for heading, column in filled.items() if set(column) != {NOTHING}}

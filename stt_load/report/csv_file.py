"""`stages.csv`: one row a stage. The first thirteen columns are a contract and are there for every kind of load; behind
them are those that the kind has. New columns go to the end.

`metrics/figures.py` declares the columns. Latencies are seconds, `*_pct` percent (0 to 100), memory MiB. GPU columns
are those of the busiest GPU, and empty where the samples of a GPU that hold them cover less than 90 % of the hold;
server and host columns likewise. What was not measured is an empty cell. A percentile that falls on a failed utterance
is `inf`: a number in Python, NumPy, R and PostgreSQL, larger than any bound. An empty cell would say that nothing was
measured, and a word would turn the whole column into text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from stt_load.kinds import LoadKind
from stt_load.metrics.figures import CsvColumn, Figure, in_csv
from stt_load.report.device import is_covered
from stt_load.report.model import RunReport, StageReport

FIXED_COLUMNS = (
    "concurrency",
    "eos_p50",
    "eos_p95",
    "eos_mean",
    "stream_end_p50",
    "stream_end_p95",
    "stream_end_mean",
    "audio_duration_s",
    "wer_pct",
    "gpu_util_p95",
    "gpu_util_mean",
    "vram_peak_mib",
    "vram_mean_mib",
)

CsvCell = Callable[[StageReport], str]

_NOT_FIGURES: dict[str, CsvCell] = {
    "concurrency": lambda stage: str(stage.users),
    "stage": lambda stage: str(stage.figures.stage),
    "verdict": lambda stage: str(stage.verdict),
    "few_samples": lambda stage: str(int(stage.is_few)),
}


def csv_columns(kind: LoadKind) -> dict[str, CsvCell]:
    """Name of each column -> what stands in it, in the order of the file."""
    cells = _NOT_FIGURES | {
        column.name: _csv_cell(figure, column)
        for figure, column in in_csv()
        if kind in figure.kinds or column.name in FIXED_COLUMNS
    }
    return {name: cells[name] for name in dict.fromkeys((*FIXED_COLUMNS, *cells))}


def _csv_cell(figure: Figure, column: CsvColumn) -> CsvCell:
    def cell(stage: StageReport) -> str:
        value = stage.value(figure, column.statistic) if is_covered(stage.coverage_of(figure)) else None
        return "" if value is None else f"{value * column.factor:.{column.digits}f}"

    return cell


def stages_csv(report: RunReport) -> str:
    """Writes the whole file as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = csv_columns(report.kind)
    writer.writerow(columns)
    for stage in report.stages:
        writer.writerow(cell(stage) for cell in columns.values())
    return text.getvalue()

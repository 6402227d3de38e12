"""Tables with a row for each figure of one subject, and a column for each stage."""

from __future__ import annotations

from collections.abc import Iterable

from stt_load.metrics.figures import FIGURES_BY_NAME, NOTHING, TableColumn
from stt_load.report.model import RunReport
from stt_load.report.table import FEW, TableCell, table_cell
from stt_load.report.text_table import TextTable
from stt_load.report.wording import names_of

FigureRow = tuple[str, TableCell]
"""What a row is called, and what gives its cell of a stage."""

_FEW_NOTE = f"{FEW} too few utterances to be certain."


def figure_row(
    heading: str, name: str, statistic: str | None = None, digits: int = 0, factor: float = 1.0
) -> FigureRow:
    """The row of a figure, as `TableColumn` has it."""
    return heading, table_cell(FIGURES_BY_NAME[name], TableColumn(heading, statistic, digits, factor))


def figure_table(report: RunReport, rows: Iterable[FigureRow], notes: Iterable[tuple[str, str]]) -> TextTable:
    """The table, without the rows that no stage has a value of. `notes`: each with a part of the heading of the rows
    that it is about; an empty part is about all."""
    cells = ((heading, *map(cell, report.stages)) for heading, cell in rows)
    filled = tuple(row for row in cells if set(row[1:]) != {NOTHING})
    has_few = any(cell.endswith(FEW) for _, *line in filled for cell in line)
    needed = [note for note, part in notes if not part or any(part in heading for heading, *_ in filled)]
    names = names_of(report.stages)
    return TextTable(
        headings=(f"by {report.kind.callers}", *(names[stage.figures.stage] for stage in report.stages)),
        rows=filled,
        notes=(*needed, *([_FEW_NOTE] if has_few else ())),
    )

"""The tables of a comparison as text cells: the box, and under it the ladder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stt_load.comparison.compare import NO_CHANGE, Cell, Comparison, Line, Status
from stt_load.metrics.figures import NOTHING
from stt_load.report.table import FEW

_PAIR = ("Before", "After")
_LONGEST_LABEL = 16


class Tone(StrEnum):
    """How a cell is to look."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class TonedCell:
    """One cell of a table, its lines divided by line breaks."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class TonedTable:
    """A table of text cells. `n_left`: how many of its columns are words, aligned to the left; the rest are figures."""

    headings: tuple[str, ...]
    rows: tuple[tuple[TonedCell, ...], ...]
    n_left: int


def box_table(comparison: Comparison) -> TonedTable:
    """The box: a row for each measure."""
    has_targets = any(line.target for line in comparison.box)
    shown = [line for line in comparison.box if any(cell.value is not None for cell in line.cells)]
    rows = []
    for line in shown:
        target = [TonedCell(line.target.text if line.target else "")] if has_targets else []
        rows.append(
            (
                TonedCell(line.measure.heading),
                *_cells(line, has_targets=has_targets),
                *target,
                *_last(line, has_targets, comparison),
            )
        )
    tail = (("Target", "Status") if len(comparison.results) == 2 else ("Target",)) if has_targets else ()
    return TonedTable(("Metric", *_headings(comparison), *tail), tuple(rows), n_left=1)


def _last(line: Line, has_targets: bool, comparison: Comparison) -> list[TonedCell]:
    if not has_targets or len(comparison.results) > 2:
        return []
    return [_status_cell(line.cells[1].status)]


def ladder_table(comparison: Comparison) -> TonedTable | None:
    """The main figures under every other load; None where there is none."""
    if not comparison.ladder:
        return None
    rows = []
    before = None
    for line in comparison.ladder:
        load = TonedCell("" if line.load == before else str(line.load))
        before = line.load
        rows.append((load, TonedCell(line.measure.heading), *_cells(line, has_targets=False)))
    what = comparison.first.callers.capitalize() if comparison.is_ladder else "Text"
    return TonedTable((what, "Metric", *_headings(comparison)), tuple(rows), n_left=2)


def _headings(comparison: Comparison) -> tuple[str, ...]:
    if len(comparison.results) == 2:
        return (*_PAIR, "Change", "Noise")
    return tuple(shortened(name, _LONGEST_LABEL) for name in comparison.names)


def _cells(line: Line, *, has_targets: bool) -> list[TonedCell]:
    """The cells between the name of the measure and its target."""
    first, *others = line.cells
    if len(others) == 1:
        (cell,) = others
        noise = " ".join(filter(None, [cell.word, _noise(line, cell)])) or NOTHING
        return [
            _value(line, first),
            _value(line, cell),
            TonedCell(_change(line, cell)),
            TonedCell(noise, _tone(line, cell)),
        ]
    cells = [_value(line, first)]
    for cell in others:
        status = f" {cell.status}" if has_targets and cell.status else ""
        under = [f"{_change(line, cell)} {cell.word}".strip(), _noise(line, cell)] if cell.change is not None else []
        tone = Tone.BAD if cell.status is Status.MISS else _tone(line, cell)
        cells.append(TonedCell("\n".join(filter(None, [_value(line, cell).text + status, *under])), tone))
    return cells


def _value(line: Line, cell: Cell) -> TonedCell:
    if cell.value is None:
        return TonedCell(NOTHING)
    interval = ""
    if cell.interval is not None:
        low, high = cell.interval
        interval = f" ({low}–{high})" if high is not None else f" ({low} or more)"
    return TonedCell(line.measure.value(cell.value) + (FEW if cell.is_few else "") + interval)


def _change(line: Line, cell: Cell) -> str:
    before = line.cells[0].value
    return NOTHING if cell.change is None or before is None else line.measure.change(cell.change, before)


def _noise(line: Line, cell: Cell) -> str:
    before = line.cells[0].value
    if cell.noise is None or before is None:
        return ""
    text = line.measure.change(cell.noise, before, sign=False)
    return "" if text == NOTHING else f"±{text}"


def _tone(line: Line, cell: Cell) -> Tone:
    if cell.is_worse:
        return Tone.BAD
    if cell.word in ("", NO_CHANGE):
        return Tone.FAINT
    return Tone.GOOD if line.measure.words.better else Tone.PLAIN


def _status_cell(status: Status | None) -> TonedCell:
    if status is None:
        return TonedCell("")
    return TonedCell(str(status), Tone.BAD if status is Status.MISS else Tone.GOOD)


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

"""A matrix as tables of text cells: two options against each other, and every condition with all that it showed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from stt_load.comparison.conditions import AXES
from stt_load.comparison.matrix import Matrix, Row, Step
from stt_load.comparison.tables import Tone, TonedCell, TonedTable
from stt_load.metrics.bootstrap import MIN_CLUSTERS
from stt_load.metrics.figures import FAILED, NOTHING
from stt_load.metrics.validity import SPEAKS_THIS_DIALECT
from stt_load.report.table import FEW

UNKNOWN = "?"
MORE = "+"
TITLE = "Hard callers"


@dataclass(frozen=True, slots=True)
class TitledTable:
    """A table with what stands over it."""

    title: str
    table: TonedTable


@dataclass(frozen=True, slots=True)
class MatrixText:
    """Everything that is told of a matrix, whatever it is told in. `doubts`: what its runs lack."""

    tables: tuple[TitledTable, ...]
    doubts: tuple[str, ...]
    notes: tuple[str, ...]


def matrix_in_words(matrix: Matrix) -> MatrixText:
    """The tables of a matrix and the lines that belong to them."""
    grids: list[TitledTable] = []
    if len(matrix.varying) > 1 and matrix.users:
        fewest = matrix.users[0]
        grids = [
            TitledTable(f"{_callers(matrix).capitalize()} held", _grid(matrix, holds_cell)),
            TitledTable(f"WER in % at {fewest}", _grid(matrix, lambda row: wer_cell(row.at(fewest)))),
        ]
    return MatrixText((*grids, TitledTable("Every condition", _details(matrix))), _doubts(matrix), _notes(matrix))


def holds_cell(row: Row) -> TonedCell:
    """How many callers are held under a condition."""
    if row.folder is None:
        return TonedCell(NOTHING, Tone.FAINT)
    if row.holds is None:
        return TonedCell(UNKNOWN, Tone.FAINT)
    return TonedCell(f"{row.holds}{MORE if row.is_most else ''}", Tone.PLAIN if row.holds else Tone.BAD)


def wer_cell(step: Step | None) -> TonedCell:
    """The word error rate of a stage, in percent."""
    return _figure(step, lambda step: step.wer, lambda wer: f"{100 * wer:.1f}{FEW if step and step.has_few else ''}")


def _latency_cell(step: Step | None) -> TonedCell:
    return _figure(step, lambda step: step.latency_s, lambda seconds: f"{seconds:.2f}")


def _nothing_cell(step: Step | None) -> TonedCell:
    return _figure(step, lambda step: step.words_from_nothing, lambda rate: f"{rate:.1f}")


def _figure(step: Step | None, value_of: Callable[[Step], float | None], write: Callable[[float], str]) -> TonedCell:
    value = None if step is None else value_of(step)
    if step is None or value is None:
        return TonedCell(NOTHING, Tone.FAINT)
    if math.isinf(value):
        return TonedCell(FAILED, Tone.BAD)
    return TonedCell(
        write(value) + (UNKNOWN if step.is_doubtful else ""), Tone.FAINT if step.is_doubtful else Tone.PLAIN
    )


def _grid(matrix: Matrix, cell: Callable[[Row], TonedCell]) -> TonedTable:
    """The values of the last option that varies from left to right, those of the others from top to bottom."""
    *down, across = matrix.varying
    columns = _values(matrix, across)
    rows = []
    for values in product(*(_values(matrix, name) for name in down)):
        line = dict(zip(down, values, strict=True))
        found = [matrix.find({**line, across: value}) for value in columns]
        if any(found):
            rows.append((*map(TonedCell, values), *(TonedCell("") if row is None else cell(row) for row in found)))
    headings = (*down, *(f"{across} {value}" for value in columns))
    return TonedTable(headings, tuple(rows), n_left=len(down))


def _details(matrix: Matrix) -> TonedTable:
    """A line for each condition: what it is, its figures with so many callers each, how many are held."""
    names = matrix.varying or [name for name in AXES if any(name in row.condition.values for row in matrix.rows)]
    sections: list[tuple[str, Callable[[Step | None], TonedCell]]] = [("WER%", wer_cell), ("p95", _latency_cell)]
    if any(step.words_from_nothing is not None for row in matrix.rows for step in row.steps):
        sections.append(("words/min", _nothing_cell))
    headings = [f"{heading}\nat {users}" for heading, _ in sections for users in matrix.users]
    rows = tuple(
        (
            *(TonedCell(row.condition.values.get(name, "")) for name in names),
            *(cell(row.at(users)) for _, cell in sections for users in matrix.users),
            holds_cell(row),
        )
        for row in matrix.rows
    )
    return TonedTable((*names, *headings, "holds"), rows, n_left=len(names))


def _values(matrix: Matrix, name: str) -> list[str]:
    return list(dict.fromkeys(row.condition.values.get(name, "") for row in matrix.rows))


def _callers(matrix: Matrix) -> str:
    return next((row.callers for row in matrix.rows if row.steps), "callers")


_NOT_MET = "{}: not met"
_UNHEARD = "no utterance came to a good end (under other conditions some did, so the dialect is right)"


def _doubts(matrix: Matrix) -> tuple[str, ...]:
    """What runs lack, a line for each thing. The validity of a run knows of no other: whether the dialect is wrong or
    nothing was heard in the noise, the conditions tell together."""
    where: dict[str, list[str]] = {}
    is_understood = any(
        step.error_rate is not None and step.error_rate < 1 for row in matrix.rows for step in row.steps
    )
    told = {SPEAKS_THIS_DIALECT: _UNHEARD} if is_understood else {}
    for row in matrix.rows:
        if row.folder is None:
            where.setdefault("no run came to its end", []).append(row.condition.in_words())
        unmet: dict[str, list[str]] = {}
        for step in row.steps:
            for name in step.unmet:
                unmet.setdefault(name, []).append(str(step.users))
        for name, users in unmet.items():
            where.setdefault(told.get(name, _NOT_MET.format(name)), []).append(
                f"{row.condition.in_words()} at {' and '.join(users)}"
            )
    return tuple(f"{what}: {'; '.join(conditions)}" for what, conditions in where.items())


def _notes(matrix: Matrix) -> tuple[str, ...]:
    slos = dict.fromkeys(text for row in matrix.rows for text in row.slos)
    texts = [holds_cell(row).text for row in matrix.rows]
    lines = (
        (f"held: the most {_callers(matrix)} under whom every objective is met ({', '.join(slos)})", bool(slos)),
        (f"{MORE} no larger number was tried", any(MORE in text for text in texts)),
        (f"{UNKNOWN} not to be believed, or not known", bool(_doubts(matrix))),
        (f"{FEW} fewer than {MIN_CLUSTERS} clips", any(step.has_few for row in matrix.rows for step in row.steps)),
        ("p95: of the headline figure, in seconds: EOS latency, or the total time of an upload", bool(matrix.users)),
        (f"folder of the runs: {matrix.folder}", True),
    )
    return tuple(line for line, is_told in lines if is_told)

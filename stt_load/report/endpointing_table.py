"""When the server ended the callers' turns, as a table: a row for each figure, a column for each stage.

Clips with a pause in their speech have a row for each length of it: how many of their turns were cut there.
"""

from __future__ import annotations

from collections.abc import Iterator

from stt_load.metrics.figures import FIGURES_BY_NAME, NOTHING, TableColumn
from stt_load.metrics.pauses import PauseFigures
from stt_load.report.model import RunReport, StageReport
from stt_load.report.table import FEW, TableCell, table_cell
from stt_load.report.text_table import TextTable
from stt_load.report.wording import names_of

ENDPOINTING_TITLE = "When the server ended turns"

_Row = tuple[str, TableCell]

_DELAY = "delay: from the end of the speech to the server's end of the turn; `failed`: it never came."
_CUT = "cut early: a turn was ended while the speech went on, or words of the clip were told after it."
_WORDS = "words lost: those within 0.5 s of an early end, or of the pause that it lies in, that no final has."
_EAGER = "eager end: the server told one before it was sure; taken back: how many of them."
_FEW = f"{FEW} too few utterances to be certain."


def endpointing_table(report: RunReport) -> TextTable | None:
    """The table; None where there is nothing to say of ends of turns."""
    stages = report.stages
    if not is_about_turns(report):
        return None
    names = names_of(stages)
    rows = tuple((heading, *map(cell, stages)) for heading, cell in (*_FIGURES, *_pauses(report)))
    rows = tuple(row for row in rows if set(row[1:]) != {NOTHING})
    told = {heading for heading, *_ in rows}
    notes = (
        (_DELAY, True),
        (_CUT, True),
        (_WORDS, "words lost" in told),
        (_EAGER, "taken back" in told),
        *((note, True) for note in _pause_notes(report)),
        (_FEW, any(cell.endswith(FEW) for _, *cells in rows for cell in cells)),
    )
    return TextTable(
        headings=(f"by {report.kind.callers}", *(names[stage.figures.stage] for stage in stages)),
        rows=rows,
        notes=tuple(note for note, is_needed in notes if is_needed),
    )


def is_about_turns(report: RunReport) -> bool:
    """The server tells of turns, and some were cut early or left open, or the run was to show that, by pauses or an
    objective. Elsewhere the delay is in the files alone."""
    return any(stage.figures.turns_left_open is not None for stage in report.stages) and any(
        stage.figures.turns.cut
        or stage.figures.turns.left_open
        or stage.by_pause
        or any(result.slo.figure.name in _NAMES for result in stage.slos)
        for stage in report.stages
    )


_NAMES = ("endpointing_delay", "cut_early_rate", "split_rate", "words_lost_at_cut", "turns_left_open", "eager_end_rate")


def _row(heading: str, name: str, statistic: str | None = None, digits: int = 0, factor: float = 1.0) -> _Row:
    return heading, table_cell(FIGURES_BY_NAME[name], TableColumn(heading, statistic, digits, factor))


_FIGURES: tuple[_Row, ...] = (
    _row("delay p50, s", "endpointing_delay", "p50", 3),
    _row("delay p95, s", "endpointing_delay", "p95", 3),
    _row("cut early, %", "cut_early_rate", None, 1, 100),
    _row("several turns, %", "split_rate", None, 1, 100),
    _row("words lost", "words_lost_at_cut"),
    _row("never ended", "turns_left_open"),
    _row("eager end, %", "eager_end_rate", None, 1, 100),
    _row("taken back", "resumed"),
)


def _pauses(report: RunReport) -> Iterator[_Row]:
    for pause_s in _pauses_s(report):
        yield f"cut, {_what(pause_s)}, %", _cut_at(pause_s)


def _pause_notes(report: RunReport) -> Iterator[str]:
    """What the rows of pauses mean, by the shortest pause of the run."""
    made_s = [pause_s for pause_s in _pauses_s(report) if pause_s is not None]
    if made_s:
        yield f"cut, {_what(made_s[0])}: cut early of the clips with such a pause put into their speech."


def _pauses_s(report: RunReport) -> list[float | None]:
    """The lengths of the pauses that clips of the run have, the shortest first; None: clips as they are."""
    lengths = {figures.pause_s for stage in report.stages for figures in stage.by_pause}
    return sorted(lengths, key=lambda length_s: length_s or 0.0)


def _what(pause_s: float | None) -> str:
    return "no pause" if pause_s is None else f"{pause_s:g} s pause"


def _cut_at(pause_s: float | None) -> TableCell:
    def cell(stage: StageReport) -> str:
        found: PauseFigures | None = next((each for each in stage.by_pause if each.pause_s == pause_s), None)
        return NOTHING if found is None else f"{100 * found.cut_early_rate:.1f} (n={found.judged})"

    return cell

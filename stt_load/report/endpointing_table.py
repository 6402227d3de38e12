"""When the server ended the callers' turns, as a table: a row for each figure, a column for each stage.

Clips with a pause in their speech have a row for each length of it: how many of their turns were cut there.
"""

from __future__ import annotations

from collections.abc import Iterator

from stt_load.metrics.figures import NOTHING
from stt_load.metrics.pauses import PauseFigures
from stt_load.report.figure_rows import FigureRow, figure_row, figure_table
from stt_load.report.model import RunReport, StageReport
from stt_load.report.table import TableCell
from stt_load.report.text_table import TextTable

ENDPOINTING_TITLE = "When the server ended turns"

_DELAY = "delay: from the end of the speech to the server's end of the turn; failed: it never came."
_CUT = "cut early: a turn was ended while the speech went on, or words of the clip were told after it."
_SPLIT = "several turns: one utterance became several turns with words in them."
_WORDS = "words lost: those within 0.5 s of an early end, or of the pause that it lies in, that no final has."
_OPEN = "never ended: utterances of which the server told no end after the speech."
_EAGER = "eager end: the server told one before it was sure; taken back: how many of them."


def endpointing_table(report: RunReport) -> TextTable | None:
    """The table; None where there is nothing to say of ends of turns."""
    if not is_about_turns(report):
        return None
    notes = (
        (_DELAY, ""),
        (_CUT, ""),
        (_SPLIT, ""),
        (_WORDS, "words lost"),
        (_OPEN, ""),
        (_EAGER, "taken back"),
        *((note, "") for note in _pause_notes(report)),
    )
    return figure_table(report, (*_FIGURES, *_pauses(report)), notes)


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


_FIGURES: tuple[FigureRow, ...] = (
    figure_row("delay p50, s", "endpointing_delay", "p50", 3),
    figure_row("delay p95, s", "endpointing_delay", "p95", 3),
    figure_row("cut early, %", "cut_early_rate", None, 1, 100),
    figure_row("several turns, %", "split_rate", None, 1, 100),
    figure_row("words lost", "words_lost_at_cut"),
    figure_row("never ended", "turns_left_open"),
    figure_row("eager end, %", "eager_end_rate", None, 1, 100),
    figure_row("taken back", "resumed"),
)


def _pauses(report: RunReport) -> Iterator[FigureRow]:
    for pause_s in pause_lengths_s(report):
        yield f"cut, {_what(pause_s)}, %", _cut_at(pause_s)


def _pause_notes(report: RunReport) -> Iterator[str]:
    """What the rows of pauses mean, by the shortest pause of the run."""
    made_s = [pause_s for pause_s in pause_lengths_s(report) if pause_s is not None]
    if made_s:
        yield f"cut, {_what(made_s[0])}: cut early of the clips with such a pause put into their speech."


def pause_lengths_s(report: RunReport) -> list[float | None]:
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

"""What was on the callers' screens while they spoke, as a table: a row for each figure, a column for each stage."""

from __future__ import annotations

from stt_load.report.figure_rows import FigureRow, figure_row, figure_table
from stt_load.report.model import RunReport
from stt_load.report.text_table import TextTable

SCREEN_TITLE = "On the caller's screen"

_AGE = "age: from the end of a word to its being on the screen, the median of each utterance; oldest: its latest word."
_FLICKER = "taken back: words that were deleted or changed on the screen, per second of speech."
_FIRST = "first text, first final: held against as many first words as fit them best; age of their last word."
_TIMES = (
    "word times: the server's start of a word against the true one; drift: from the first word to the last, below 0 "
    "where the server's clock is slow."
)
_NOTES = ((_AGE, "age p50"), (_FLICKER, "taken back"), (_FIRST, "first text"), (_TIMES, "word times"))


def screen_table(report: RunReport) -> TextTable | None:
    """The table; None where the server shows no text before it is final."""
    if not is_about_screen(report):
        return None
    return figure_table(report, _FIGURES, _NOTES)


def is_about_screen(report: RunReport) -> bool:
    """The server shows text before it is final, or an objective is set on what it shows."""
    return any(
        stage.figures.screens.interim or any(result.slo.figure.name in _NAMES for result in stage.slos)
        for stage in report.stages
    )


_FIGURES: tuple[FigureRow, ...] = (
    figure_row("age p50, s", "audio_age", "p50", 3),
    figure_row("age p95, s", "audio_age", "p95", 3),
    figure_row("oldest p95, s", "audio_age_max", "p95", 3),
    figure_row("taken back p50, /s", "flicker", "p50", 2),
    figure_row("taken back p95, /s", "flicker", "p95", 2),
    figure_row("first text WER, %", "first_partial_wer", None, 1, 100),
    figure_row("first text age p50, s", "first_partial_age", "p50", 3),
    figure_row("first final WER, %", "first_final_wer", None, 1, 100),
    figure_row("first final age p50, s", "first_final_age", "p50", 3),
    figure_row("last text WER, %", "wer", None, 1, 100),
    figure_row("last text EOS p50, s", "eos_latency", "p50", 3),
    figure_row("word times p50, ms", "word_time_error", "p50", 0, 1000),
    figure_row("word times p95, ms", "word_time_error", "p95", 0, 1000),
    figure_row("drift, ms", "word_time_drift_signed", None, 0, 1000),
    figure_row("drift, ms per min of connection", "word_time_drift_connection", None, 1, 1000),
)
_NAMES = (
    *("audio_age", "audio_age_max", "flicker", "word_time_error", "word_time_error_max", "word_time_drift"),
    *("first_partial_wer", "first_partial_age", "first_final_wer", "first_final_age"),
)

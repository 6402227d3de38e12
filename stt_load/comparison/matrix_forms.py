"""A matrix on a terminal, as data, and as one page."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.text import Text

from stt_load.comparison.console import print_lines, toned_table
from stt_load.comparison.matrix import Matrix, Row, Step
from stt_load.comparison.matrix_tables import TITLE, matrix_in_words
from stt_load.report.page_templates import page_templates
from stt_load.report.terminal import fitted, print_uncut
from stt_load.text.json_text import json_text

SCHEMA_VERSION = 1

_templates = page_templates("stt_load.comparison")


def print_matrix(matrix: Matrix, console: Console | None = None) -> None:
    """Prints it on standard output, unless a console is given."""
    console = fitted(console)
    told = matrix_in_words(matrix)
    for titled in told.tables:
        console.print(Text(titled.title, style="bold"))
        print_uncut(toned_table(titled.table), console)
        console.print()
    print_lines("What the runs lack", told.doubts, console, "bold yellow")
    print_lines("Notes", told.notes, console)


def matrix_html(matrix: Matrix) -> str:
    """The whole page as text: one file, light or dark as the reader's system is, no script, nothing fetched."""
    return _templates.get_template("matrix.html").render(title=TITLE, told=matrix_in_words(matrix))


def matrix_json(matrix: Matrix) -> str:
    """The whole text. Seconds, ratios (0 to 1), words a minute and counts; keys are added freely."""
    return json_text(
        {
            "schema_version": SCHEMA_VERSION,
            "exit_code": int(matrix.exit_code),
            "asked": matrix.asked,
            "varying": matrix.varying,
            "conditions": [_row(row) for row in matrix.rows],
        }
    )


def _row(row: Row) -> dict[str, Any]:
    """`holds` is null where it is not known; `is_most`: no larger number was tried."""
    return {
        "condition": row.condition.values,
        "run": None if row.folder is None else str(row.folder),
        "verdict": row.verdict,
        "holds": row.holds,
        "is_most": row.is_most,
        "stages": [_step(step) for step in row.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    """A percentile that falls on a failed utterance is null, and `is_failed` true."""
    is_failed = step.latency_s is not None and math.isinf(step.latency_s)
    return {
        "users": step.users,
        "verdict": step.verdict,
        "wer": step.wer,
        "p95_s": None if is_failed else step.latency_s,
        "is_failed": is_failed,
        "error_rate": step.error_rate,
        "words_from_nothing": step.words_from_nothing,
        "has_few": step.has_few,
        "unmet": step.unmet,
    }

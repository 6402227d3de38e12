"""`report.md`: the report for a pull request, an issue or the summary of a CI job (GitHub Flavored Markdown, 0.29)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stt_load.report.capacity_wording import TRIALS_TITLE, headline, trial_table
from stt_load.report.course_tables import course_tables
from stt_load.report.endpointing_table import ENDPOINTING_TITLE, endpointing_table
from stt_load.report.failure_table import FAILURES_TITLE, failure_headings, failure_rows
from stt_load.report.knee import exit_code
from stt_load.report.model import RunReport
from stt_load.report.resources import RESOURCES_TITLE, resource_table
from stt_load.report.screen_table import SCREEN_TITLE, screen_table
from stt_load.report.server_table import SERVER_TITLE, server_table
from stt_load.report.table import explanations, headings, rows
from stt_load.report.warning_blocks import warning_blocks
from stt_load.report.wording import title, where_and_when
from stt_load.text.printable import printable

# CommonMark 0.31 section 2.4: a backslash takes the meaning of any of these. Section 6.2: a `_` within a word has none.
_MEANS_SOMETHING = re.compile(r"[\\`*\[\]<>#!|~&]|(?<![^\W_])_|_(?![^\W_])")
# `@name` calls somebody, `#12` names an issue, `https://…` and `www.…` become links.
_ADDRESSED = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=tp:)(?=//)|(?<=tps:)(?=//)|(?<=www)(?=\.)")
_NOTHING_WIDE = "\u200b"


def report_markdown(report: RunReport) -> str:
    """Writes the whole file as text."""
    sentence = headline(report)
    parts = [
        f"## stt-load: {escaped(title(report))}",
        f"**{str(report.verdict).upper()}** (exit code {int(exit_code(report))}): {escaped(sentence)}.",
        escaped(" · ".join(where_and_when(report))),
        markdown_table(headings(report), rows(report)),
        *(_block(block.heading, block.lines) for block in warning_blocks(report)),
        _section(FAILURES_TITLE, failure_headings(report.is_open_loop), failure_rows(report), n_words=4),
    ]
    tables = (
        (TRIALS_TITLE, trial_table(report)),
        *((each.title, each.table) for each in course_tables(report)),
        (RESOURCES_TITLE, resource_table(report, is_short=True)),
        (SERVER_TITLE, server_table(report)),
        (ENDPOINTING_TITLE, endpointing_table(report)),
        (SCREEN_TITLE, screen_table(report)),
    )
    parts += [_section(heading, table.headings, table.rows) for heading, table in tables if table is not None]
    of_tables = (line for _, table in tables if table is not None for line in table.notes)
    notes = [*report.notes, *of_tables, *explanations(report)]
    parts.append(f"<details><summary>Notes</summary>\n\n{_list(notes)}\n\n</details>")
    return "\n\n".join(filter(None, parts)) + "\n"


def escaped(text: str) -> str:
    """A text that means nothing but itself: no markup, no link, and nobody is called by it."""
    return _ADDRESSED.sub(_NOTHING_WIDE, _MEANS_SOMETHING.sub(r"\\\g<0>", printable(text)))


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]], n_words: int = 0) -> str:
    """A table of text cells. Its last `n_words` columns are words, set to the left; the others are figures."""
    n_figures = len(headings) - n_words
    lines = [headings, ["---:"] * n_figures + [":---"] * n_words]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in (*lines, *rows))


def _cell(text: str) -> str:
    return text if text.strip(":-") == "" else escaped(text)


def _section(heading: str, headings: Sequence[str], rows: Sequence[Sequence[str]], n_words: int = 0) -> str:
    return f"### {heading}\n\n{markdown_table(headings, rows, n_words)}" if rows else ""


def _block(heading: str, lines: Sequence[str]) -> str:
    return f"### {escaped(heading)}\n\n{_list(lines)}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)

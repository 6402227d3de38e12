"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stt_load.comparison.compare import Comparison, FailOn
from stt_load.comparison.tables import Tone, TonedTable
from stt_load.comparison.wording import TITLE, in_words
from stt_load.report.markdown_file import escaped


def comparison_markdown(comparison: Comparison, fail_on: Sequence[FailOn]) -> str:
    """Writes the whole text."""
    told = in_words(comparison, fail_on)
    parts = [
        f"## {told.verdict}",
        _list(cell.text for cell in told.changes),
        _section("Void: the results have measured different things", told.voids),
        _section("Not valid", told.doubts),
        _section("What differs", told.differences),
        f"### {TITLE}",
        "\n".join(f"**{name}**: {escaped(value)}  " for name, value in told.header),
        _table(told.box) if told.box else "",
        "  \n".join(f"**{escaped(line)}**" for line in told.status),
        _table(told.ladder) if told.ladder else "",
        f"<details><summary>Notes</summary>\n\n{_list(told.notes)}\n\n</details>" if told.notes else "",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _section(heading: str, lines: Sequence[str]) -> str:
    return f"### {heading}\n\n{_list(lines)}" if lines else ""


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)


def _table(table: TonedTable) -> str:
    sides = [":---" if at < table.n_left else "---:" for at in range(len(table.headings))]
    rows = [[_cell(cell.text, cell.tone) for cell in row] for row in table.rows]
    lines = [[escaped(heading) for heading in table.headings], sides, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str, tone: Tone) -> str:
    shown = "<br>".join(escaped(line) for line in text.split("\n"))
    return f"**{shown}**" if tone is Tone.BAD and shown else shown

"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stt_load.comparison.compare import Comparison, FailOn
from stt_load.comparison.wording import (
    TITLE,
    TextTable,
    Tone,
    box_table,
    changes,
    difference_lines,
    doubt_lines,
    header,
    ladder_table,
    notes,
    target_status,
    verdict,
    void_lines,
)
from stt_load.text.printable import printable

_SIGNS = re.compile(r"([\\`*_{}\[\]<>|~#])")


def comparison_markdown(comparison: Comparison, fail_on: Sequence[FailOn]) -> str:
    """Writes the whole text."""
    parts = [f"## {TITLE}: {verdict(comparison, fail_on)[0]}"]
    if comparison.reference is not None:
        parts.append(_list(cell.text for cell in changes(comparison)))
    parts.append(_section("Void: the results have measured different things", void_lines(comparison)))
    parts.append(_section("Not valid", doubt_lines(comparison)))
    parts.append("\n".join(f"**{name}**: {_escaped(value)}  " for name, value in header(comparison)))
    if comparison.reference is not None:
        parts.append(_table(box_table(comparison)))
        parts.append("  \n".join(f"**{_escaped(line)}**" for line in target_status(comparison)))
    ladder = ladder_table(comparison)
    parts.append(_table(ladder) if ladder else "")
    differs = difference_lines(comparison) or ["nothing that was written down"]
    parts.append(_section("What differs", differs))
    parts.append(_folded("Notes", notes(comparison)))
    return "\n\n".join(filter(None, parts)) + "\n"


def _section(heading: str, lines: Sequence[str]) -> str:
    return f"### {heading}\n\n{_list(lines)}" if lines else ""


def _folded(heading: str, lines: Sequence[str]) -> str:
    return f"<details><summary>{heading}</summary>\n\n{_list(lines)}\n\n</details>" if lines else ""


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_escaped(line)}" for line in lines)


def _table(table: TextTable) -> str:
    sides = [":---" if at < table.n_left else "---:" for at in range(len(table.headings))]
    rows = [[_cell(cell.text, cell.tone) for cell in row] for row in table.rows]
    lines = [[_escaped(heading) for heading in table.headings], sides, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str, tone: Tone) -> str:
    shown = "<br>".join(_escaped(line) for line in text.split("\n"))
    return f"**{shown}**" if tone is Tone.BAD and shown else shown


def _escaped(text: str) -> str:
    """The text as it stands, whatever signs of Markdown or HTML are in it."""
    return _SIGNS.sub(r"\\\1", printable(text))

"""A document of sections with lines, tables and code, as Markdown and on a terminal: the same words in both."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stt_load.report.markdown_file import escaped, markdown_table
from stt_load.text.printable import printable

_PIPE_WIDTH = 110  # a file or a CI log has no width


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text cells, numbers already formatted."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document. `is_numbered`: its lines are steps. `codes`: (what it is, YAML), to copy."""

    title: str
    lines: tuple[str, ...] = ()
    table: TextTable | None = None
    codes: tuple[tuple[str, str], ...] = ()
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """`answer`: the one sentence that it is about."""

    title: str
    answer: str
    sections: tuple[Section, ...]


def json_text(data: Any) -> str:
    """Writes the same for programs."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def markdown(document: Document) -> str:
    """Writes the whole document."""
    return "\n".join([f"# {escaped(document.title)}", "", f"**{escaped(document.answer)}**", *_parts(document)]) + "\n"


def _parts(document: Document) -> Iterator[str]:
    for section in document.sections:
        yield from ("", f"## {escaped(section.title)}")
        if section.table:
            yield from ("", markdown_table(section.table.headings, section.table.rows))
        if section.lines:
            yield ""
            marks = (f"{n}." if section.is_numbered else "-" for n in range(1, len(section.lines) + 1))
            yield from (f"{mark} {escaped(line)}" for mark, line in zip(marks, section.lines, strict=True))
        for name, code in section.codes:
            yield from ("", f"{name}:", "", "```yaml", code.rstrip("\n"), "```")


def print_document(document: Document, console: Console | None = None, *, instead_of_codes: str = "") -> None:
    """Prints it at the width of the terminal, on standard output unless a console is given. `instead_of_codes`: a line
    that is printed where there is something to copy, whose hundred lines would push the answer off the screen."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console = Console(file=console.file, width=_PIPE_WIDTH, color_system=None, highlight=False)
    _print_folded(document.title, console, style="bold")
    console.print()
    _print_folded(document.answer, console)
    for section in document.sections:
        console.print()
        console.print(Text(printable(section.title), style="bold"))
        if section.table:
            console.print(_rich_table(section.table))
        for n, line in enumerate(section.lines, 1):
            mark = f"{n:>3}. " if section.is_numbered else "  - "
            _print_folded(line, console, mark)
        if section.codes and instead_of_codes:
            _print_folded(instead_of_codes, console, "  - ")
            continue
        for name, code in section.codes:
            _print_folded(f"{name}:", console, "  ")
            console.print(Text(textwrap.indent(code.rstrip("\n"), "    ")))


def _print_folded(line: str, console: Console, mark: str = "", style: str = "") -> None:
    folded = textwrap.wrap(printable(line), console.width, initial_indent=mark, subsequent_indent=" " * len(mark))
    console.print(Text("\n".join(folded), style=style))


def _rich_table(table: TextTable) -> Table:
    """A table in which headings are folded, and cells never cut."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, *cells in zip(table.headings, *table.rows, strict=True):
        width = max(map(len, [*heading.split(), *cells]))
        drawn.add_column(heading, justify="right", vertical="bottom", width=width)
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    return drawn

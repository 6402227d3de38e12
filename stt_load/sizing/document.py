"""A document of sections with lines, tables and code, as Markdown and on a terminal: the same words in both."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from stt_load.report.markdown_file import escaped, markdown_table
from stt_load.report.terminal import fitted, plain_table, print_line
from stt_load.report.text_table import TextTable
from stt_load.text.printable import printable


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
    console = fitted(console)
    print_line(document.title, console, style="bold")
    console.print()
    print_line(document.answer, console)
    for section in document.sections:
        console.print()
        console.print(Text(printable(section.title), style="bold"))
        if section.table:
            console.print(plain_table(section.table.headings, section.table.rows))
        for n, line in enumerate(section.lines, 1):
            mark = f"{n:>3}. " if section.is_numbered else "  - "
            print_line(line, console, mark)
        if section.codes and instead_of_codes:
            print_line(instead_of_codes, console, "  - ")
            continue
        for name, code in section.codes:
            print_line(f"{name}:", console, "  ")
            console.print(Text(textwrap.indent(code.rstrip("\n"), "    ")))

"""How tables and lines are put on a terminal, and into a pipe, where no width is known."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stt_load.text.printable import printable

_BEFORE_A_UNIT = re.compile(r"(?<=\d) (?=%|(?:pt|s|ms|J|MiB)\b)")
_NO_BREAK = "\xa0"

Rows = Sequence[Sequence[str]]
"""Text cells."""

PIPE_WIDTH = 110
"""A file or a CI log has no width; rich would assume 80 and fold the tables."""


def fitted(console: Console | None = None, pipe_width: int = PIPE_WIDTH) -> Console:
    """The console, or that of standard output: as wide as its terminal, and `pipe_width` wide without one."""
    console = console or Console(highlight=False)
    if console.is_terminal:
        return console
    return Console(file=console.file, width=pipe_width, color_system=None, highlight=False)


def empty_table(headings: Sequence[str], rows: Rows, gap: int = 2, title: str | None = None) -> Table:
    """A table without rows whose columns fit `rows`: a heading is folded, a cell never cut. `gap`: blanks between two
    columns, at least 1."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, gap - 1, 0, 0), pad_edge=False)
    for heading, *cells in zip(headings, *rows, strict=True):
        if gap == 1:  # "GPU%p95" in two lines: then the table of a run with a GPU fits 80 columns
            heading = re.sub(r"%(?=\w)", "% ", heading)
        width = max(map(len, [*heading.split(), *cells]))
        table.add_column(heading, justify="right", vertical="bottom", width=width)
    return table


def plain_table(headings: Sequence[str], rows: Rows, gap: int = 2) -> Table:
    """A table of figures."""
    table = empty_table(headings, rows, gap)
    for row in rows:
        table.add_row(*cells(row))
    return table


def cells(texts: Iterable[str]) -> list[Text]:
    return [Text(printable(text)) for text in texts]


def print_uncut(table: Table, console: Console) -> None:
    """Prints a table that is too wide at its full width: the terminal folds it, rich would cut figures short."""
    width = console.width
    console.width = max(width, full_width(table, console))
    console.print(table)
    console.width = width


def full_width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=1_000)).maximum


def print_line(line: str, console: Console, mark: str = "", style: str = "", rest: str | None = None) -> None:
    """Prints a line with `mark` before it, folded at blanks, but for those between a number and its unit. `rest`: what
    stands before what is folded; as many blanks as the mark has where that is not said."""
    whole = _BEFORE_A_UNIT.sub(_NO_BREAK, printable(line))
    indent = " " * len(mark) if rest is None else rest
    folded = "\n".join(textwrap.wrap(whole, console.width, initial_indent=mark, subsequent_indent=indent))
    console.print(Text(folded.replace(_NO_BREAK, " "), style=style))


def print_list(lines: Iterable[str], console: Console) -> None:
    for line in lines:
        print_line(line, console, "  - ")

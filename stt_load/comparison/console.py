"""A comparison on a terminal or in a pipe: what differs, the box, the ladder, the notes. It fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stt_load.comparison.compare import Comparison, FailOn
from stt_load.comparison.tables import Tone, TonedTable
from stt_load.comparison.wording import TITLE, ComparisonText, in_words
from stt_load.report.terminal import fitted, full_width, print_line, print_list, print_uncut
from stt_load.text.printable import printable

_WIDTH = 80
_STYLES = {Tone.GOOD: "green", Tone.BAD: "red", Tone.FAINT: "dim", Tone.PLAIN: ""}


def print_comparison(comparison: Comparison, fail_on: Sequence[FailOn], console: Console | None = None) -> None:
    """Prints it on standard output, unless a console is given."""
    console = fitted(console, _WIDTH)
    told = in_words(comparison, fail_on)
    print_lines("Void: the results have measured different things", told.voids, console, "bold red")
    print_lines("Not valid", told.doubts, console, "bold yellow")
    print_lines("What differs", told.differences, console)
    if told.box is not None:
        _print_box(told, told.box, console)
    console.print(Text(told.verdict, style=f"bold {_STYLES[told.tone]}".strip()))
    for sentence in told.changes:
        print_line(sentence.text, console, style=_STYLES[sentence.tone], rest="  ")
    console.print()
    if told.ladder is not None:
        print_uncut(toned_table(told.ladder), console)
        console.print()
    print_lines("Notes", told.notes, console)


def _print_box(told: ComparisonText, box_table: TonedTable, console: Console) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column()
    facts.add_column(overflow="fold")
    for name, value in told.header:
        facts.add_row(Text(name, style="bold"), Text(printable(value)))
    table = toned_table(box_table)
    status = [Text(printable(line), style="bold") for line in told.status]
    parts = Group(facts, "", table, "", *status) if status else Group(facts, "", table)
    width = console.width
    console.width = max(_WIDTH, full_width(table, console) + 4)
    console.print(Panel(parts, title=TITLE, box=box.ROUNDED, padding=(0, 1)))
    console.width = width


def toned_table(table: TonedTable) -> Table:
    """The table as it is drawn on a terminal."""
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for at, heading in enumerate(table.headings):
        drawn.add_column(heading, justify="left" if at < table.n_left else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text("\n".join(map(printable, c.text.split("\n"))), style=_STYLES[c.tone]) for c in row))
    return drawn


def print_lines(heading: str, lines: Sequence[str], console: Console, style: str = "bold") -> None:
    """Prints a heading and a list under it; nothing where the list is empty."""
    if not lines:
        return
    console.print(Text(heading, style=style))
    print_list(lines, console)
    console.print()

"""The history on a terminal or in a pipe: a table for each series, what is left out, and the verdict of a check."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from stt_load.history.reader import History
from stt_load.history.regression import Judgement
from stt_load.history.series import Series
from stt_load.history.series_table import series_columns
from stt_load.report.terminal import fitted
from stt_load.text.printable import printable

_WORDS = ("date (UTC)", "verdict")


def print_history(history: History, series: Sequence[Series], console: Console | None = None) -> None:
    """Prints every series, the one with the newest run first."""
    console = fitted(console)
    for one in series:
        console.print(Text(printable(one.name), style="bold"))
        if one.told_users:
            console.print(Text(one.told_users))
        columns = {heading: cells for heading, cells in series_columns(one).items() if heading != "version"}
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for heading in columns:
            is_folder = heading == "folder"
            width = None if is_folder else max(map(len, [*heading.split(), *columns[heading]]))
            justify: JustifyMethod = "left" if is_folder or heading in _WORDS else "right"
            table.add_column(heading, justify=justify, width=width, vertical="bottom")
        for row in zip(*columns.values(), strict=True):
            table.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
        console.print(table)
    if not series:
        console.print("no run is in this folder")
    print_left_out(history, console)


def print_left_out(history: History, console: Console | None = None) -> None:
    """Names the folders that are left out, where there are any."""
    console = fitted(console)
    if history.left_out:
        console.print(Text("Left out", style="bold yellow"))
        for line in history.left_out:
            console.print(Text(f"  - {printable(line)}"))


def print_judgement(judgement: Judgement, console: Console | None = None) -> None:
    """Prints what came of a check."""
    console = fitted(console)
    if judgement.newest is not None:
        console.print(Text(f"newest run: {printable(judgement.newest.folder.name)}"))
    if judgement.why_not is not None:
        console.print(Text.assemble(("CAN'T JUDGE", "bold yellow"), f" (exit code 4): {printable(judgement.why_not)}."))
        return
    found = judgement.regressions
    if found:
        names = ", ".join(compared.figure.name for compared in found)
        console.print(Text.assemble(("REGRESSION", "bold red"), f" (exit code 3): {names}"))
    else:
        console.print(Text.assemble(("NO REGRESSION", "bold green"), " (exit code 0)"))
    for compared in judgement.compared:
        console.print(Text(f"  - {compared.line}", style="red" if compared.is_regression else ""))

"""The report on a terminal or in a pipe: the table, the answer, warnings, resource usage and notes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from stt_load.report.capacity_wording import TRIALS_TITLE, TrialTable, headline, trial_table
from stt_load.report.failure_table import FAILURE_HEADINGS, FAILURES_TITLE, failure_rows
from stt_load.report.knee import exit_code
from stt_load.report.model import RunReport, Verdict
from stt_load.report.resources import RESOURCES_TITLE, ResourceTable, resource_table
from stt_load.report.server_table import SERVER_TITLE, server_table
from stt_load.report.table import explanations, headings, rows
from stt_load.report.warning_blocks import warning_blocks
from stt_load.report.wording import title
from stt_load.text.printable import printable

_PIPE_WIDTH = 110  # a file or CI log has no width; rich would assume 80 and fold the table

VERDICT_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INVALID: "yellow",
    Verdict.EMPTY: "yellow",
    Verdict.ABORTED: "yellow",
    Verdict.ERROR: "red",
}


def print_report(report: RunReport, console: Console | None = None) -> None:
    """Prints what a person needs at first sight, on standard output unless a console is given."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=_PIPE_WIDTH, color_system=None)
    gap = 2 if console.width >= _PIPE_WIDTH else 1
    _print_uncut(_main_table(report, gap), console)
    console.print(_answer(report))
    trials = trial_table(report)
    if trials is not None:
        _print_block(TRIALS_TITLE, "", [], console)
        _print_uncut(_plain_table(trials, gap), console)
        _print_lines(trials.notes, console)
    for block in warning_blocks(report):
        _print_block(block.heading, "red" if block.is_of_server else "yellow", block.lines, console)
    failures = failure_rows(report)
    if failures:
        _print_block(FAILURES_TITLE, "red", [], console)
        console.print(_failures_table(failures, gap))
    for heading, table in (
        (RESOURCES_TITLE, resource_table(report, is_short=True)),
        (SERVER_TITLE, server_table(report)),
    ):
        if table is not None:
            _print_block(heading, "", [], console)
            _print_uncut(_plain_table(table, gap), console)
            _print_lines(table.notes, console)
    _print_block("Notes", "", [*report.notes, *explanations(report)], console)


def _print_block(heading: str, style: str, lines: Sequence[str], console: Console) -> None:
    console.print()
    console.print(Text(printable(heading), style=f"bold {style}".strip()))
    _print_lines(lines, console)


def _print_lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        folded = textwrap.wrap(printable(line), console.width, initial_indent="  - ", subsequent_indent="    ")
        console.print(Text("\n".join(folded)))


def _print_uncut(table: Table, console: Console) -> None:
    """Prints a table that is too wide at its full width: the terminal folds it, rich would cut figures short."""
    width = console.width
    console.width = max(width, console.measure(table, options=console.options.update(width=200)).maximum)
    console.print(table)
    console.width = width


def _main_table(report: RunReport, gap: int) -> Table:
    lines = rows(report)
    table = _empty_table(headings(report), lines, gap, escape(printable(title(report))) or None)
    for stage, line in zip(report.stages, lines, strict=True):
        table.add_row(*_cells(line[:-1]), Text(line[-1], style=VERDICT_STYLES[stage.verdict]))
    return table


def _plain_table(shown: ResourceTable | TrialTable, gap: int) -> Table:
    table = _empty_table(shown.headings, shown.rows, gap)
    for line in shown.rows:
        table.add_row(*_cells(line))
    return table


def _failures_table(lines: Sequence[Sequence[str]], gap: int) -> Table:
    """The table of failures. Message and advice share what the other columns leave, and are folded."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False)
    for heading in FAILURE_HEADINGS[:-2]:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in FAILURE_HEADINGS[-2:]:
        table.add_column(heading, ratio=1, overflow="fold")
    for line in lines:
        table.add_row(*_cells(line))
    return table


def _cells(texts: Sequence[str]) -> list[Text]:
    return [Text(printable(text)) for text in texts]


def _empty_table(headings: Sequence[str], lines: Sequence[Sequence[str]], gap: int, title: str | None = None) -> Table:
    """A table without rows whose columns fit `lines`. `gap`: blanks between two columns, at least 1."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, gap - 1, 0, 0), pad_edge=False)
    for heading, *cells in zip(headings, *lines, strict=True):
        width = max(map(len, [*heading.split(), *cells]))
        table.add_column(heading, justify="right", vertical="bottom", width=width)
    return table


def _answer(report: RunReport) -> Text:
    code = exit_code(report)
    sentence = headline(report)
    return Text.assemble(
        (str(report.verdict).upper(), f"bold {VERDICT_STYLES[report.verdict]}"),
        f" (exit code {int(code)}): {printable(sentence)}.",
    )

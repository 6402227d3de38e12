"""The report on a terminal or in a pipe: the table, the answer, warnings, resource usage and notes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from stt_load.metrics.figures import Place
from stt_load.report.capacity_wording import TRIALS_TITLE, headline, trial_table
from stt_load.report.course_tables import course_tables
from stt_load.report.endpointing_table import ENDPOINTING_TITLE, endpointing_table
from stt_load.report.failure_table import FAILURES_TITLE, failure_headings, failure_rows
from stt_load.report.knee import exit_code
from stt_load.report.model import RunReport, Verdict
from stt_load.report.resources import RESOURCES_TITLE, resource_table
from stt_load.report.screen_table import SCREEN_TITLE, screen_table
from stt_load.report.server_table import SERVER_TITLE, server_table
from stt_load.report.table import columns, columns_of, explanations
from stt_load.report.terminal import (
    PIPE_WIDTH,
    cells,
    empty_table,
    fitted,
    full_width,
    plain_table,
    print_list,
    print_uncut,
)
from stt_load.report.text_table import TextTable
from stt_load.report.warning_blocks import warning_blocks
from stt_load.report.wording import stage_heading, title
from stt_load.text.printable import printable

VERDICT_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INVALID: "yellow",
    Verdict.EMPTY: "yellow",
    Verdict.ABORTED: "yellow",
    Verdict.ERROR: "red",
}


NARROWEST = 100
"""Columns that the table of stages may have in any terminal."""

_MOVED_FIRST = (Place.DEVICE, Place.AUDIO, Place.SPEED, Place.LOAD)


def print_report(report: RunReport, console: Console | None = None) -> None:
    """Prints what a person needs at first sight, on standard output unless a console is given."""
    console = fitted(console)
    gap = 2 if console.width >= PIPE_WIDTH else 1
    for table in main_tables(report, console):
        print_uncut(table, console)
    console.print(_answer(report))
    _print_table(TRIALS_TITLE, trial_table(report), gap, console)
    for each in course_tables(report):
        _print_table(each.title, each.table, gap, console)
    for block in warning_blocks(report):
        _print_block(block.heading, "red" if block.is_of_server else "yellow", block.lines, console)
    failures = failure_rows(report)
    if failures:
        _print_block(FAILURES_TITLE, "red", [], console)
        console.print(_failures_table(failure_headings(report.is_open_loop), failures, gap))
    _print_table(RESOURCES_TITLE, resource_table(report, is_short=True), gap, console)
    _print_table(SERVER_TITLE, server_table(report), gap, console)
    _print_table(ENDPOINTING_TITLE, endpointing_table(report), gap, console)
    _print_table(SCREEN_TITLE, screen_table(report), gap, console)
    _print_block("Notes", "", [*report.notes, *explanations(report)], console)


def _print_table(heading: str, table: TextTable | None, gap: int, console: Console) -> None:
    if table is not None:
        _print_block(heading, "", [], console)
        print_uncut(plain_table(table.headings, table.rows, gap), console)
        print_list(table.notes, console)


def _print_block(heading: str, style: str, lines: Sequence[str], console: Console) -> None:
    console.print()
    console.print(Text(printable(heading), style=f"bold {style}".strip()))
    print_list(lines, console)


def main_tables(report: RunReport, console: Console) -> list[Table]:
    """The table of stages; two of them where one would be wider than the console and than NARROWEST columns: the second
    has what the fewest look for."""
    limit = max(console.width, NARROWEST)
    gaps = (2, 1) if console.width >= PIPE_WIDTH else (1,)
    tables: list[Table] = []
    for n_moved, gap in product(range(len(_MOVED_FIRST) + 1), gaps):
        moved = columns_of(report, _MOVED_FIRST[:n_moved])
        tables = [_main_table(report, gap, moved), *([_moved_table(report, gap, moved)] if moved else [])]
        if all(full_width(table, console) <= limit for table in tables):
            break
    return tables


def _main_table(report: RunReport, gap: int, moved: Sequence[str]) -> Table:
    shown = {heading: column for heading, column in columns(report).items() if heading not in moved}
    lines = list(zip(*shown.values(), strict=True))
    table = empty_table(tuple(shown), lines, gap, escape(printable(title(report))) or None)
    for stage, line in zip(report.stages, lines, strict=True):
        table.add_row(*cells(line[:-1]), Text(line[-1], style=VERDICT_STYLES[stage.verdict]))
    return table


def _moved_table(report: RunReport, gap: int, moved: Sequence[str]) -> Table:
    shown = columns(report)
    names = [stage_heading(report.is_open_loop), *moved]
    return plain_table(names, list(zip(*(shown[name] for name in names), strict=True)), gap)


def _failures_table(titles: Sequence[str], lines: Sequence[Sequence[str]], gap: int) -> Table:
    """The table of failures. Message and advice share what the other columns leave, and are folded."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False)
    for heading in titles[:-2]:
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in titles[-2:]:
        table.add_column(heading, ratio=1, overflow="fold")
    for line in lines:
        table.add_row(*cells(line))
    return table


def _answer(report: RunReport) -> Text:
    code = exit_code(report)
    sentence = headline(report)
    return Text.assemble(
        (str(report.verdict).upper(), f"bold {VERDICT_STYLES[report.verdict]}"),
        f" (exit code {int(code)}): {printable(sentence)}.",
    )

"""The report on a terminal or in a pipe: the table, the answer, and what stands in its way."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stt_load.report.model import RunReport, Verdict
from stt_load.report.resources import TITLE, ResourceTable, resource_table
from stt_load.report.sizing import exit_code
from stt_load.report.table import explanations, foreign_warning, headings, rows, validity_lines
from stt_load.report.wording import judged, knee_sentence, title

_PIPE_WIDTH = 110  # a file or CI log has no width; rich would assume 80 and fold the table

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.INVALID: "yellow",
    Verdict.EMPTY: "yellow",
    Verdict.ABORTED: "yellow",
}


def print_report(report: RunReport, console: Console | None = None) -> None:
    """Print everything a person needs on the first look. Without a console: standard output."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=_PIPE_WIDTH, color_system=None)
    gap = 2 if console.width >= _PIPE_WIDTH else 1
    _print_uncut(_main_table(report, gap), console)
    console.print(_answer(report))
    for heading, style, lines in _blocks(report):
        _print_block(heading, style, lines, console)
    took = resource_table(report, is_short=True)
    if took is not None:
        _print_block(TITLE, "", [], console)
        _print_uncut(_took_table(took, gap), console)
        _print_lines(took.explanations, console)
    _print_block("Notes", "", [*report.notes, *explanations(report)], console)


def _print_block(heading: str, style: str, lines: Sequence[str], console: Console) -> None:
    console.print()
    console.print(Text(heading, style=f"bold {style}".strip()))
    _print_lines(lines, console)


def _print_lines(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        folded = textwrap.wrap(line, console.width, initial_indent="  - ", subsequent_indent="    ")
        console.print(Text("\n".join(folded)))


def _print_uncut(table: Table, console: Console) -> None:
    """On too narrow a terminal let it fold the lines: rich would cut the figures short."""
    width = console.width
    console.width = max(width, console.measure(table, options=console.options.update(width=200)).maximum)
    console.print(table)
    console.width = width


def _main_table(report: RunReport, gap: int) -> Table:
    lines = rows(report)
    table = _empty_table(headings(report), lines, gap, title(report) or None)
    for stage, line in zip(report.stages, lines, strict=True):
        table.add_row(*line[:-1], Text(line[-1], style=_STYLES[stage.verdict]))
    return table


def _took_table(took: ResourceTable, gap: int) -> Table:
    table = _empty_table(took.headings, took.rows, gap)
    for line in took.rows:
        table.add_row(*line)
    return table


def _empty_table(headings: Sequence[str], lines: Sequence[Sequence[str]], gap: int, title: str | None = None) -> Table:
    """Its columns, as wide as what comes into them. `gap`: blanks between two columns, at least 1."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, gap - 1, 0, 0), pad_edge=False)
    for heading, *cells in zip(headings, *lines, strict=True):
        width = max(map(len, [*heading.split(), *cells]))
        table.add_column(heading, justify="right", vertical="bottom", width=width)
    return table


def _answer(report: RunReport) -> Text:
    code = exit_code(report)
    sentence = knee_sentence(report.knee, report.kind)
    return Text.assemble(
        (str(report.verdict).upper(), f"bold {_STYLES[report.verdict]}"),
        f" (exit code {int(code)}): {sentence}.",
    )


def _blocks(report: RunReport) -> list[tuple[str, str, list[str]]]:
    """Heading, style and lines of each warning that has any."""
    missed = [f"at {stage.users}: {judged(result)}" for stage in report.stages for result in stage.missed]
    foreign = foreign_warning(report)
    blocks = [
        ("Somebody else's words", "red", [foreign] if foreign else []),
        ("Not to be believed", "yellow", validity_lines(report)),
        ("Objectives missed", "red", missed),
    ]
    return [block for block in blocks if block[2]]

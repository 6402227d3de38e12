"""`stt-load doctor`: what this machine is missing for a load test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stt_load.calibration.checks import Check, Status, check_all
from stt_load.calibration.host_probe import look_at_machine
from stt_load.calibration.installation import look_at_installation
from stt_load.errors import ExitCode

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "red"}
_NARROWEST = 80


@click.command()
@click.option("--results", default="results", show_default=True, metavar="FOLDER", help="Where runs are to go.")
@click.option("--json", "as_json", is_flag=True, help="The checks as JSON.")
def command(results: str, as_json: bool) -> None:
    """What this machine is missing for a load test, what each thing costs, and the command that lifts it.

    Ends with 1 where no run could start, else with 0, warnings included.
    """
    checks = check_all(look_at_machine(), look_at_installation(results))
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=2))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=_NARROWEST)
        console.print(_table(checks))
        click.echo(_summary(checks))
    is_impossible = any(check.status is Status.PROBLEM for check in checks)
    click.get_current_context().exit(ExitCode.FAILED if is_impossible else ExitCode.FINE)


def _table(checks: Sequence[Check]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        lines = [escape(check.found)]
        if check.cost:
            lines += [f"costs: {escape(check.cost)}", f"do: {escape(check.command)}"]
        colour = _COLOURS[check.status]
        table.add_row(f"[{colour}]{check.status}[/{colour}]", check.name, "\n".join(lines))
    return table


def _summary(checks: Sequence[Check]) -> str:
    n = {status: sum(check.status is status for check in checks) for status in Status}
    return f"{n[Status.OK]} ok, {n[Status.WARNING]} to know of, {n[Status.PROBLEM]} that no run gets past"

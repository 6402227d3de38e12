"""`stt-load doctor`: checks this machine and this installation for what gets in the way of a load test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stt_load.calibration.checks import Check, Status, check_all
from stt_load.calibration.host_probe import probe_machine
from stt_load.calibration.installation_probe import probe_installation
from stt_load.errors import ExitCode
from stt_load.process.standard_streams import require_output
from stt_load.text.printable import printable

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "red"}
_NARROWEST = 80


@click.command()
@click.option(
    "--results", default="results", show_default=True, metavar="FOLDER", help="The folder that runs will be written to."
)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def command(results: str, as_json: bool) -> None:
    """Check this machine for a load test: what is wrong, what it means, and how to fix it.

    The exit code is 1 if no run can start, else 0, warnings included.
    """
    checks = check_all(probe_machine(), probe_installation(results))
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=2))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=_NARROWEST)
        console.print(_table(checks))
        click.echo(_summary(checks))
    require_output()
    is_impossible = any(check.status is Status.PROBLEM for check in checks)
    click.get_current_context().exit(ExitCode.FAILED if is_impossible else ExitCode.FINE)


def _table(checks: Sequence[Check]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        lines = [escape(printable(check.found))]
        if check.cost:
            lines += [f"effect: {escape(printable(check.cost))}", f"fix: {escape(check.command)}"]
        colour = _COLOURS[check.status]
        table.add_row(f"[{colour}]{check.status}[/{colour}]", check.name, "\n".join(lines))
    return table


def _summary(checks: Sequence[Check]) -> str:
    n = {status: sum(check.status is status for check in checks) for status in Status}
    passed = f"{n[Status.OK]} of {len(checks)} checks passed"
    found = [_counted(n[Status.WARNING], "warning"), _counted(n[Status.PROBLEM], "problem")]
    if n[Status.PROBLEM]:
        found[-1] += ": fix it before you run a test" if n[Status.PROBLEM] == 1 else ": fix them before you run a test"
    return f"{passed}, {found[0]}, {found[1]}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"

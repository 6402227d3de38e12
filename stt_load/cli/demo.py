"""`stt-load demo`: the whole thing on this machine, nothing needed and nothing left running."""

from __future__ import annotations

from typing import Any

import click

from stt_load.cli.locust_child import run_locust
from stt_load.cli.run import (
    ALL_OPTIONS,
    check,
    find_contradictions,
    locust_command,
    locust_environment,
    take_process_words,
    with_defaults,
    with_enough_processes,
    with_options,
    with_process_options,
)
from stt_load.options import PlanKind
from stt_load.process.ending_signals import hearing, leave_before_start
from stt_load.server.process import start_embedded_server

# What differs from `stt-load run`: about three minutes instead of ten, and enough of each stage to judge.
DEMO_OPTIONS = {
    "hold": "12s",
    "settle": "1s",
    "at_least": "6",
    "label": "demo",
    "gpu_sidecar": "local",
    "gpu_id": "none",
}
_NOT_HERE = "--stt-url"


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@with_process_options
@with_options([name for name in ALL_OPTIONS if f"--{name}" != _NOT_HERE], DEMO_OPTIONS)
@click.option(_NOT_HERE, "other_url", hidden=True)  # taken to be refused by name, beside what else is wrong
def command(other_url: str | None, **options: Any) -> None:
    """A real recogniser on this machine, a ladder of callers against it, and the report: no GPU needed.

    Takes the options of `stt-load run`; --stt-url is not among them, since the server is the embedded one.
    """
    words = click.get_current_context().args
    contradictions = find_contradictions(options)
    options = _with_defaults(options)
    with hearing(leave_before_start):
        words, problems = take_process_words(options, words)
        if other_url is not None:
            problems.append(f"{_NOT_HERE}: the demo brings its own server; use `stt-load run` for yours")
        config = check(options, [*problems, *contradictions], has_server=False)
        words = with_enough_processes(words, config, PlanKind.LADDER)
    click.echo("starting the embedded recogniser …")
    with start_embedded_server() as server:
        options["stt_url"] = f"{server.url}?timings=1"
        click.echo(f"it listens at {server.url}; now callers talk to it")
        code = run_locust(locust_command(options, words), locust_environment(options))
    click.get_current_context().exit(code)


def _with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    defaults = dict(DEMO_OPTIONS)
    if options["gpu_sidecar"] is not None:
        del defaults["gpu_id"]  # the embedded recogniser uses no GPU; who asks for a sidecar may ask for one
    return with_defaults(options, defaults)

"""`stt-load find`: checks the options, then becomes Locust on the locustfile of the search."""

from __future__ import annotations

from typing import Any

import click

from stt_load.cli.run import become_locust, with_options, with_process_options
from stt_load.options import PlanKind


@click.command("find", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@with_process_options
@with_options(plan=PlanKind.SEARCH)
def command(**options: Any) -> None:
    """Search for how many callers a server holds: one number, the interval that it lies in, and what limits it.

    The number of callers is doubled until a trial misses an objective (--slo), then narrowed, and both sides of the
    edge are repeated. Every trial is a stage of one run folder, and `stt-load report` rebuilds the answer from it.

    Exit codes: 0 an answer was found, 3 not even --from callers are held, 4 the trials decide nothing (the load
    generator was the limit, or they contradict each other), 5 ended early: what is known so far is in the report.
    Where one process would be late with --max callers, the run takes more of them, as with --processes auto, and says
    so. Options that are not listed here go to Locust, for example --master with --expect-workers 3. The API key of the
    server is read from STT_LOAD_API_KEY.
    """
    become_locust(options, click.get_current_context().args, "find.py", plan=PlanKind.SEARCH)

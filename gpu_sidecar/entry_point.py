"""The first thing of the sidecar that runs: signals are heard before anything is imported that takes time."""

from __future__ import annotations

import os
import signal


def main() -> int:
    """Runs the command. Before it has begun a signal ends it with 0, as it does later: in the middle of an import it
    would be a traceback."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(0))
    from gpu_sidecar.cli import main as run_command

    return run_command()

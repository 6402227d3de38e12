"""The workers of --processes, which are forks of the master: Locust waits without an end for one that has died before
the run, and for one that doesn't leave after it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

_LEAVE_S = 3.0  # they have been told to quit
_HURRY_S = 12.0  # they cut what is in flight, and wait for the master's word that the last rows are there
_LOOK_PERIOD_S = 0.05


def own_workers() -> list[int]:
    """The process ids of the forks of this process. To be asked before it has other children."""
    return [child.pid for child in psutil.Process().children()]


def is_alive(worker: int) -> bool:
    """Whether this child has not ended. The kernel is asked without a file descriptor: none may be left."""
    try:
        return os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # it has been waited for
        return False


def end_workers(workers: Sequence[int], leave_s: float = _LEAVE_S, hurry_s: float = _HURRY_S) -> None:
    """Returns when none of them is alive any more: they leave by themselves, else on SIGTERM, else they are killed."""
    _await_end(workers, leave_s)
    _signal(workers, signal.SIGTERM, signal.SIGCONT)  # a stopped one acts once it goes on
    _await_end(workers, hurry_s)
    _signal(workers, signal.SIGKILL)


def _await_end(workers: Sequence[int], limit_s: float) -> None:
    deadline_s = time.monotonic() + limit_s
    while any(map(is_alive, workers)) and time.monotonic() < deadline_s:
        time.sleep(_LOOK_PERIOD_S)


def _signal(workers: Sequence[int], *numbers: signal.Signals) -> None:
    for worker in filter(is_alive, workers):
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(worker, number)

"""The shipped ladder in a process that is busy with something else too: up to BENCH_BURN_PCT of a core in all.

A greenlet spins for 1 ms at a time, as Python that answers events would.
"""

import locust  # first: it patches the process

import os
import sys
import time
from pathlib import Path

import gevent
from locust import events

sys.path.append(str(Path(__file__).resolve().parents[2] / "locustfiles"))

from ladder import Caller, Ladder

assert locust.__version__
__all__ = ["Caller", "Ladder"]

_SHARE = float(os.environ.get("BENCH_BURN_PCT", "80")) / 100
_SPIN_S = 0.001
_MEMORY_S = 1.0  # the share is held over so long: an idle minute is not made up for


def _burn() -> None:
    while True:
        begun_s, used_s = time.monotonic(), time.process_time()
        while (elapsed_s := time.monotonic() - begun_s) < _MEMORY_S:
            if time.process_time() - used_s < _SHARE * elapsed_s:
                until_s = time.monotonic() + _SPIN_S
                while time.monotonic() < until_s:
                    pass
            gevent.sleep(_SPIN_S / 4)


@events.init.add_listener
def _on_init(**_: object) -> None:
    gevent.spawn(_burn)

"""The shipped ladder in a process that does nothing else for 200 ms, every second: a task with a busy loop in it."""

import locust  # first: it patches the process

import sys
import time
from pathlib import Path

import gevent
from locust import events

sys.path.append(str(Path(__file__).resolve().parents[2] / "locustfiles"))

from ladder import Caller, Ladder

assert locust.__version__
__all__ = ["Caller", "Ladder"]

_EVERY_S = 1.0
_BLOCKED_S = 0.2


def _block() -> None:
    while True:
        gevent.sleep(_EVERY_S - _BLOCKED_S)
        until_s = time.monotonic() + _BLOCKED_S
        while time.monotonic() < until_s:
            pass


@events.init.add_listener
def _on_init(**_: object) -> None:
    gevent.spawn(_block)

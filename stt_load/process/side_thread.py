"""A call in a thread of its own, while the main thread waits for it and hears signals."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

Value = TypeVar("Value")


def call_aside(function: Callable[..., Value], *arguments: object) -> Value:
    """Returns what the call returns and raises the Exception that it raises.

    For libraries in C that call back: Python hears a Ctrl-C of the main thread in such a callback, where it is printed
    and lost. Here it is raised at once, and the thread goes on unheard until the process ends.
    """
    answers: SimpleQueue[tuple[Value] | Exception] = SimpleQueue()

    def answer() -> None:
        try:
            answers.put((function(*arguments),))
        except Exception as error:
            answers.put(error)

    # Neither a Thread nor a Future: a signal handler that raises while these wait breaks their locks.
    _thread.start_new_thread(answer, ())
    outcome = answers.get()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome[0]

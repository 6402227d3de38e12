"""A call in a real thread, so that the greenlets of this process go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import gevent

Value = TypeVar("Value")


_LOOK_PERIOD_S = 0.2
_LAST_WORD_S = 1.0


class GivenUpError(Exception):
    """Nobody waits for the call any longer. Its thread goes on, unheard: it can't be ended from outside."""


def call_in_thread(
    function: Callable[..., Value], *arguments: object, is_given_up: Callable[[], bool] = lambda: False
) -> Value:
    """Returns what the call returns and raises the Exception that it raises; gevent's own way to do this prints the
    traceback as well. What is no Exception (a library in Rust that panics) comes as a RuntimeError.

    `is_given_up` is asked now and then: where it says so, and the call has not ended by itself a second later, raises
    GivenUpError.
    """

    raised: list[Exception] = []

    def attempt() -> Value | None:
        try:
            return function(*arguments)
        except Exception as error:
            raised.append(error)
        except BaseException as panic:
            raised.append(RuntimeError(f"{type(panic).__name__}: {panic}"))
        return None

    called = gevent.get_hub().threadpool.spawn(attempt)
    while not called.ready():
        is_over = is_given_up()
        called.wait(_LAST_WORD_S if is_over else _LOOK_PERIOD_S)
        if is_over and not called.ready():
            raise GivenUpError
    value = called.get()
    if raised:
        raise raised[0]
    return cast("Value", value)

"""A call in a real thread, so that the greenlets of this process go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import gevent

Value = TypeVar("Value")


def call_in_thread(function: Callable[..., Value], *arguments: object) -> Value:
    """Returns what the call returns and raises the Exception that it raises; gevent's own way to do this prints the
    traceback as well. What is no Exception (a library in Rust that panics) comes as a RuntimeError."""

    raised: list[Exception] = []

    def attempt() -> Value | None:
        try:
            return function(*arguments)
        except Exception as error:
            raised.append(error)
        except BaseException as panic:
            raised.append(RuntimeError(f"{type(panic).__name__}: {panic}"))
        return None

    value = gevent.get_hub().threadpool.apply(attempt)
    if raised:
        raise raised[0]
    return cast("Value", value)

"""When an asyncio server is to end: a signal, or the end of the process that started it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from stt_load.errors import ConfigError
from stt_load.process.ending_signals import hear
from stt_load.server.listener import NO_PARENT


def stop_event(exit_with_parent: bool) -> asyncio.Event:
    """An event for the running loop, set by an ending signal or, with `exit_with_parent`, the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    hear(lambda _: loop.call_soon_threadsafe(stop.set))
    if exit_with_parent:
        _on_end_of_stdin(loop, stop.set)
    return stop


def _on_end_of_stdin(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """The starter holds the other end of our standard input: its end is the starter's, even after `kill -9`."""

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            then()

    try:
        loop.add_reader(0, read)
    except OSError:
        raise ConfigError(NO_PARENT) from None

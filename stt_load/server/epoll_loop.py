"""The event loop of the sink: epoll and a heap of timers, in one thread.

asyncio takes half of the time that the sink has for a frame. Here a readable socket is one call.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import time
from collections.abc import Callable

from stt_load.errors import ConfigError
from stt_load.process.ending_signals import hear
from stt_load.server.listener import NO_PARENT

_EVENTS_AT_ONCE = 128  # few, so that a timer that falls due meanwhile doesn't wait for long

Callback = Callable[[], None]


class EpollLoop:
    """Level-triggered: a callback that leaves something unread is called again. What a callback raises ends the loop.

    An ending signal or, with `exit_with_parent`, the end of standard input stop it, from the moment that it is made.
    """

    def __init__(self, exit_with_parent: bool) -> None:
        self._poll = select.epoll()
        self._callbacks: dict[int, Callback] = {}  # by file descriptor
        self._timers: list[tuple[float, int, Callback]] = []  # a heap
        self._order = itertools.count()  # timers of the same moment go off in the order in which they were set
        self._is_told_to_stop = False
        self._watch_signals()
        if exit_with_parent:
            self._watch_parent()

    def watch(self, descriptor: int, on_readable: Callback) -> None:
        """Calls `on_readable` whenever there is something to read, until `unwatch`. That comes before the descriptor is
        closed: its number may be given out again."""
        self._poll.register(descriptor, select.EPOLLIN)
        self._callbacks[descriptor] = on_readable

    def unwatch(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        del self._callbacks[descriptor]

    def call_at(self, due_s: float, callback: Callback) -> None:
        """Calls `callback` at `due_s`, monotonic seconds, or up to 1 ms later, since epoll counts in milliseconds."""
        heapq.heappush(self._timers, (due_s, next(self._order), callback))

    def run(self) -> None:
        """Runs until it is told to stop."""
        poll, callbacks, timers, now = self._poll.poll, self._callbacks, self._timers, time.monotonic
        while not self._is_told_to_stop:
            wait_s = max(0.0, timers[0][0] - now()) if timers else None
            for descriptor, _ in poll(wait_s, _EVENTS_AT_ONCE):
                callback = callbacks.get(descriptor)
                if callback is not None:  # unwatched a moment ago
                    callback()
            while timers and timers[0][0] <= now():
                heapq.heappop(timers)[2]()

    def _stop(self) -> None:
        self._is_told_to_stop = True

    def _watch_signals(self) -> None:
        """A signal becomes a byte in a pipe, which wakes the loop up."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        hear(lambda _: os.write(writing, b"."))
        self.watch(reading, self._stop)

    def _watch_parent(self) -> None:
        """The starter holds the other end of our standard input: its end is the starter's, even after `kill -9`."""
        try:
            self.watch(0, self._read_parent)
        except OSError:
            raise ConfigError(NO_PARENT) from None

    def _read_parent(self) -> None:
        if not os.read(0, 4096):
            self._stop()

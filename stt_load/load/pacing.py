"""One pacing loop for all callers of a process, in a greenlet of its own beside Locust's.

Its sockets are in an epoll of their own, of which Locust's loop watches only whether it has something: thousands of
sockets cost that loop one watcher, and a message that arrives wakes one greenlet, whosever it is.
"""

from __future__ import annotations

import functools
import select
import time
from collections.abc import Sequence

import gevent
from gevent import monkey
from gevent.event import Event

from stt_load.clock import Clock
from stt_load.stream.call import Call
from stt_load.stream.carrier import EpollPoll
from stt_load.stream.pacer import Pacer

_READ = 1  # of a libev watcher
_LOOK_S = 10.0


class _Poll(EpollPoll):
    """Waits without keeping the process to itself."""

    def __init__(self, clock: Clock) -> None:
        epoll: select.epoll = monkey.get_original("select", "epoll")()
        super().__init__(epoll, clock)
        self._bell = Event()
        self._watcher = gevent.get_hub().loop.io(epoll.fileno(), _READ)
        self._watcher.start(self._bell.set)

    def ring(self) -> None:
        """Ends a wait: there is something new to do."""
        self._bell.set()

    def wait(self, until_s: float | None) -> Sequence[Call]:
        left_s = None if until_s is None else until_s - self._clock()
        if left_s is not None and left_s <= 0.0:
            gevent.sleep(0)  # others in this process have their turn, however late we are
        else:
            self._bell.wait(left_s)
        self._bell.clear()
        return self.look(0)


class Pacing:
    """Carries the calls of all callers at the same time."""

    def __init__(self) -> None:
        self.clock: Clock = time.monotonic
        self._poll = _Poll(self.clock)
        self._pacer = Pacer(self._poll, self.clock)
        self._loop = gevent.spawn(self._turn_for_ever)

    def carry(self, call: Call) -> None:
        done = Event()
        call.on_done = done.set
        try:
            self._pacer.begin(call)
            self._poll.ring()
            while not done.wait(_LOOK_S):
                if self._loop.dead:  # a mistake of ours; said once, by the hub
                    raise RuntimeError("the pacing loop has died: see the lines above")
        finally:
            self._pacer.drop(call)
        if call.crash is not None:
            raise call.crash

    def _turn_for_ever(self) -> None:
        while True:
            self._pacer.turn()


@functools.cache
def pacing() -> Pacing:
    """That of this process. Asked for first in the process that speaks, not before it forks."""
    return Pacing()

"""One pacing loop for all callers of a process, in a greenlet of its own beside Locust's.

Its sockets are in an epoll of their own, of which Locust's loop watches only whether it has something: thousands of
sockets cost that loop one watcher, and a message that arrives wakes one greenlet, whosever it is.
"""

from __future__ import annotations

import functools
import select
import time
from collections.abc import Callable, Sequence
from functools import partial

import gevent
from gevent import monkey
from gevent.hub import Waiter

from stt_load.clock import Clock
from stt_load.net.tcp import MakeSocket
from stt_load.pacing.in_flight import InFlight
from stt_load.pacing.inline_driver import EpollPoll
from stt_load.pacing.pacer import Pacer

_READ = 1  # of a libev watcher

plain_socket: MakeSocket = monkey.get_original("socket", "socket")
"""A socket that waits for nobody, whatever Locust has made of `socket.socket`: a tenth of the cost."""


class _Poll(EpollPoll):
    """Waits without keeping the process to itself. For one greenlet, which is the one that waits."""

    def __init__(self, clock: Clock) -> None:
        epoll: select.epoll = monkey.get_original("select", "epoll")()
        super().__init__(epoll, clock)
        self._hub = gevent.get_hub()
        self._is_rung = False
        self._go_on: Callable[[], object] | None = None  # of the greenlet that waits
        self._watcher = self._hub.loop.io(epoll.fileno(), _READ)
        self._watcher.start(self._wake)

    def ring(self) -> None:
        """Ends a wait, or the next one: there is something new to do."""
        if not self._is_rung:
            self._is_rung = True
            if self._go_on is not None:
                self._hub.loop.run_callback(self._wake)

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        left_s = None if until_s is None else until_s - self._clock()
        if left_s is not None and left_s <= 0.0:
            gevent.sleep(0)  # others in this process have their turn, however late we are
        elif not self._is_rung:
            self._sleep(left_s)
        self._is_rung = False
        return self.look(0)

    def _sleep(self, seconds: float | None) -> None:
        """What `gevent.event.Event` does for whoever waits, without what it does for many of them."""
        timer = None if seconds is None else self._hub.loop.timer(seconds)
        if timer is not None:
            timer.start(self._wake, update=True)  # else it counts from when the loop last looked: too early
        self._go_on = gevent.getcurrent().switch
        try:
            self._hub.switch()
        finally:
            self._go_on = None
            if timer is not None:
                timer.close()

    def _wake(self) -> None:
        """Runs in the hub: nobody else is in the middle of anything."""
        self._is_rung = True
        if self._go_on is not None:
            self._go_on()


class GreenletDriver:
    """Carries the calls of all callers at the same time."""

    def __init__(self) -> None:
        self.clock: Clock = time.monotonic
        self._poll = _Poll(self.clock)
        self._pacer = Pacer(self._poll, self.clock)
        self._hub = gevent.get_hub()
        self._carried: set[InFlight] = set()
        self._death: BaseException | None = None
        self._loop = gevent.spawn(self._turn_for_ever)

    def run(self, call: InFlight) -> None:
        waiter: Waiter[None] = Waiter()  # half of what an Event would keep of each caller
        call.on_done = partial(self._hub.loop.run_callback, waiter.switch, None)
        self._carried.add(call)
        try:
            self._pacer.begin(call)
            self._poll.ring()
            if not (call.is_done or self._death):
                waiter.get()
        finally:
            self._carried.discard(call)
            self._pacer.drop(call)
        if self._death is not None:
            raise RuntimeError("the pacing loop has died: see the lines above") from self._death
        if call.crash is not None:
            raise call.crash

    def _turn_for_ever(self) -> None:
        """A mistake of ours ends it, and is said once, by the hub."""
        try:
            while True:
                self._pacer.turn()
        except BaseException as death:
            self._death = death
            for call in self._carried:
                call.on_done()
            raise


@functools.cache
def greenlet_driver() -> GreenletDriver:
    """That of this process. Asked for first in the process that speaks, not before it forks."""
    return GreenletDriver()

"""One pacing loop for all callers of a process, in a greenlet of its own beside Locust's.

Its sockets are in an epoll of their own, of which Locust's loop watches only whether it has something: thousands of
sockets cost that loop one watcher, and a message that arrives wakes one greenlet, whichever caller it is for.
"""

from __future__ import annotations

import _socket
import functools
import select
import time
from collections.abc import Callable, Sequence

import gevent
from gevent import monkey
from gevent.hub import Waiter

from stt_load.clock import Clock
from stt_load.net.tcp import MakeSocket
from stt_load.pacing.in_flight import InFlight
from stt_load.pacing.inline_driver import EpollPoller
from stt_load.pacing.pacer import Pacer

_READ = 1  # of a libev watcher

plain_socket: MakeSocket = _socket.socket
"""The C library's socket, whatever Locust has made of `socket.socket`: it costs a tenth of a cooperative one, and makes
and closes itself without a line of Python."""


class GreenletPoller(EpollPoller):
    """Waits in one greenlet, the pacing loop's, while the others of the process run."""

    def __init__(self, clock: Clock) -> None:
        epoll: select.epoll = monkey.get_original("select", "epoll")()
        super().__init__(epoll, clock)
        self._hub = gevent.get_hub()
        self._is_woken = False
        self._resume_waiting: Callable[[], object] | None = None  # switches to the greenlet that waits
        self._watcher = self._hub.loop.io(epoll.fileno(), _READ)
        self._watcher.start(self._resume)

    def wake(self) -> None:
        """Ends a wait, or the next one: there is something new to do."""
        if not self._is_woken:
            self._is_woken = True
            if self._resume_waiting is not None:
                self._hub.loop.run_callback(self._resume)

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        left_s = None if until_s is None else until_s - self._clock()
        if left_s is not None and left_s <= 0.0:
            gevent.sleep(0)  # others in this process have their turn, however late we are
        elif not self._is_woken:
            self._sleep(left_s)
        self._is_woken = False
        return self.ready(0)

    def _sleep(self, seconds: float | None) -> None:
        """Waits as `gevent.event.Event` does, without what that does for several who wait."""
        timer = None if seconds is None else self._hub.loop.timer(seconds)
        if timer is not None:
            timer.start(self._resume, update=True)  # else it counts from when the loop last looked: too early
        self._resume_waiting = gevent.getcurrent().switch
        try:
            self._hub.switch()
        finally:
            self._resume_waiting = None
            if timer is not None:
                timer.close()

    def _resume(self) -> None:
        """Runs in the hub: no greenlet is in the middle of anything."""
        self._is_woken = True
        if self._resume_waiting is not None:
            self._resume_waiting()


class GreenletDriver:
    """Plays the utterances of all callers at the same time: each caller's greenlet waits in `run` for its own."""

    def __init__(self) -> None:
        self.clock: Clock = time.monotonic
        self._poller = GreenletPoller(self.clock)
        self._pacer = Pacer(self._poller, self.clock)
        self._hub = gevent.get_hub()
        self._waiters: dict[InFlight, Waiter[None]] = {}
        self._on_done = self._resume  # one for all callers
        self._loop_error: BaseException | None = None
        self._loop = gevent.spawn(self._run_forever)

    def run(self, in_flight: InFlight) -> None:
        waiter: Waiter[None] = Waiter()  # half of what an Event would keep of each caller
        in_flight.on_done, self._waiters[in_flight] = self._on_done, waiter
        try:
            self._pacer.add(in_flight)
            self._poller.wake()
            if not (in_flight.is_done or self._loop_error):
                waiter.get()
        finally:
            del self._waiters[in_flight]
            self._pacer.drop(in_flight)
        if self._loop_error is not None:
            raise RuntimeError("the pacing loop has died: see the lines above") from self._loop_error
        if in_flight.crash is not None:
            raise in_flight.crash

    def _run_forever(self) -> None:
        """Runs until a mistake of ours ends it. The hub prints that one, once; every caller gets an error."""
        try:
            while True:
                self._pacer.run_round()
        except BaseException as error:
            self._loop_error = error
            for in_flight in self._waiters:
                self._resume(in_flight)
            raise

    def _resume(self, in_flight: InFlight) -> None:
        """Wakes the greenlet that waits for this utterance, where one still does."""
        waiter = self._waiters.get(in_flight)
        if waiter is not None:
            self._hub.loop.run_callback(waiter.switch, None)


@functools.cache
def greenlet_driver() -> GreenletDriver:
    """The pacing loop shared by all callers of this process. Call it first in the process that plays them: a loop
    doesn't outlive a fork."""
    return GreenletDriver()

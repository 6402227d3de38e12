"""Plays one utterance in the thread that asks for it, and the poller of every pacing loop."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Sequence

from stt_load.clock import Clock
from stt_load.pacing.in_flight import InFlight
from stt_load.pacing.pacer import Pacer

_READ, _WRITE = 0x1, 0x4  # EPOLLIN, EPOLLOUT: where Locust has patched the process, `select` has lost their names
_MOST_AT_ONCE = 256


class EpollPoller:
    """A level-triggered poller. `epoll`: a fresh one, for this poller alone."""

    def __init__(self, epoll: select.epoll, clock: Clock) -> None:
        self._epoll = epoll
        self._clock = clock
        self._by_fd: dict[int, InFlight] = {}

    def watch(self, in_flight: InFlight, wants_writable: bool = False) -> None:
        fd, events = in_flight.transport.fileno(), _READ | _WRITE if wants_writable else _READ
        if self._by_fd.get(in_flight.fd) is in_flight and in_flight.fd != fd:
            del self._by_fd[in_flight.fd]
        in_flight.fd = fd
        is_known, self._by_fd[fd] = self._by_fd.get(fd) is in_flight, in_flight
        try:
            if is_known:
                self._epoll.modify(fd, events)
                return
        except FileNotFoundError:
            pass  # another socket that got the number of the one before
        self._epoll.register(fd, events)

    def remove(self, in_flight: InFlight) -> None:
        if self._by_fd.get(in_flight.fd) is not in_flight:
            return
        del self._by_fd[in_flight.fd]
        # A socket that was closed meanwhile has left the epoll by itself.
        with contextlib.suppress(OSError):
            self._epoll.unregister(in_flight.fd)

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        if not self._by_fd:
            return ()  # the last utterance was done in this very round
        return self.ready(None if until_s is None else max(0.0, until_s - self._clock()))

    def ready(self, timeout_s: float | None) -> Sequence[InFlight]:
        """Those that become ready within `timeout_s` (None: waits for ever)."""
        return [self._by_fd[fd] for fd, _ in self._epoll.poll(timeout_s, _MOST_AT_ONCE)]


class InlineDriver:
    """Plays an utterance in the thread that asks for it, which waits: for one caller."""

    def __init__(self) -> None:
        self.clock: Clock = time.monotonic
        self._pacer = Pacer(EpollPoller(select.epoll(), self.clock), self.clock)

    def run(self, in_flight: InFlight) -> None:
        run_with(self._pacer, in_flight)


def run_with(pacer: Pacer, in_flight: InFlight) -> None:
    """Runs rounds of the pacer until the utterance is done. Raises what crashed in it."""
    try:
        pacer.add(in_flight)
        while not in_flight.is_done:
            pacer.run_round()
    finally:
        pacer.drop(in_flight)
    if in_flight.crash is not None:
        raise in_flight.crash

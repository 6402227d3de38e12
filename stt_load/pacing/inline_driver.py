"""Who carries a call until it is done. Under Locust that is one loop for all callers; here, whoever asks carries it."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Sequence

from stt_load.clock import Clock
from stt_load.pacing.in_flight import InFlight
from stt_load.pacing.pacer import Pacer

_READ, _WRITE = 0x1, 0x4  # EPOLLIN, EPOLLOUT: where Locust has patched the process, `select` has lost their names
_AT_ONCE = 256


class EpollPoll:
    """Level-triggered. `epoll`: a fresh one, for this poll alone."""

    def __init__(self, epoll: select.epoll, clock: Clock) -> None:
        self._epoll = epoll
        self._clock = clock
        self._calls: dict[int, InFlight] = {}

    def watch(self, call: InFlight, wants_room: bool = False) -> None:
        file, events = call.transport.fileno(), _READ | _WRITE if wants_room else _READ
        if self._calls.get(call.file) is call and call.file != file:
            del self._calls[call.file]
        call.file = file
        is_known, self._calls[file] = self._calls.get(file) is call, call
        try:
            if is_known:
                self._epoll.modify(file, events)
                return
        except FileNotFoundError:
            pass  # another file that got the number of the one before
        self._epoll.register(file, events)

    def remove(self, call: InFlight) -> None:
        if self._calls.get(call.file) is not call:
            return
        del self._calls[call.file]
        # A socket that was closed meanwhile has left the epoll by itself.
        with contextlib.suppress(OSError):
            self._epoll.unregister(call.file)

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        if not self._calls:
            return ()  # the last call was done in this very round
        return self.look(None if until_s is None else max(0.0, until_s - self._clock()))

    def look(self, timeout_s: float | None) -> Sequence[InFlight]:
        """Those that are ready within `timeout_s` (None: no end)."""
        return [self._calls[file] for file, _ in self._epoll.poll(timeout_s, _AT_ONCE)]


class InlineDriver:
    """Carries a call in the thread that asks for it, which waits: for one caller."""

    def __init__(self) -> None:
        self.clock: Clock = time.monotonic
        self._pacer = Pacer(EpollPoll(select.epoll(), self.clock), self.clock)

    def run(self, call: InFlight) -> None:
        run_with(self._pacer, call)


def run_with(pacer: Pacer, call: InFlight) -> None:
    """Turns the pacer until the call is done."""
    try:
        pacer.begin(call)
        while not call.is_done:
            pacer.turn()
    finally:
        pacer.drop(call)
    if call.crash is not None:
        raise call.crash

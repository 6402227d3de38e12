"""Limits how many connections are served at once, and chooses which one to close when all slots are taken."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

MAX_CONNECTIONS = 64
# A client that has not sent its whole request after this time may lose its slot to the next one. A normal request is
# read in milliseconds once it is accepted.
_GRACE_S = 0.25
_LONGEST_WAIT_S = 1.0
_POLL_S = 0.02


class ConnectionSlots:
    """Slots for connections, one thread each.

    Idle clients can't keep others out: if all slots are taken, the client that has been sending its request for the
    longest time loses its slot, once the grace is over. Refusing newcomers instead would let 64 idle connections shut
    out Prometheus and the load test for as long as a request may take, and so would leaving them in the backlog.
    """

    def __init__(self, n: int = MAX_CONNECTIONS, now: Callable[[], float] = time.monotonic) -> None:
        self._free = threading.Semaphore(n)
        self._now = now
        self._lock = threading.Lock()
        self._readers: dict[socket.socket, float] = {}  # since when; the first has waited longest

    def take(self, connection: socket.socket) -> bool:
        """Takes a slot, if need be after a moment. False if all are taken by clients that are being answered."""
        if not self._free.acquire(blocking=False) and not self._wait_for_one():
            return False
        with self._lock:
            self._readers[connection] = self._now()
        return True

    def note_request(self, connection: socket.socket) -> None:
        """The whole request has arrived: the client keeps its slot until it is answered."""
        with self._lock:
            self._readers.pop(connection, None)

    def release(self, connection: socket.socket) -> None:
        self.note_request(connection)
        self._free.release()

    def _wait_for_one(self) -> bool:
        deadline = self._now() + _LONGEST_WAIT_S
        while self._now() < deadline:
            self._cut_off_longest_reader()
            if self._free.acquire(timeout=_POLL_S):
                return True
        return False

    def _cut_off_longest_reader(self) -> None:
        with self._lock:
            longest = next(iter(self._readers), None)
            if longest is None or self._now() - self._readers[longest] < _GRACE_S:
                return
            del self._readers[longest]
            # Its thread, waiting for more, sees the end of the stream and leaves.
            with contextlib.suppress(OSError):
                longest.shutdown(socket.SHUT_RDWR)

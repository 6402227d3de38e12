"""How late a reading may be, where the kernel does not say when bytes arrived.

Bytes that were there while this process was held up (stopped, put aside, busy with something else) are read when it
goes on, and look as if they had arrived then. A thread, which is a greenlet under Locust, notes the time every two
milliseconds; what it could not note is the time in which nobody could read either.

    beats   ·  ·  ·  ·            ·  ·
                       ╰─ stopped ─╯ └ a reading here may be late by the time since the third beat before it
                          ▲ arrival
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable

from stt_load.clock import Clock

BEAT_S = 0.002
# A beat of the very round in which bytes are read says nothing: what held up the process may lie just before it. The
# beat before that may have come late in its round, after the sockets of that round were looked at.
_BEATS_BACK = 3


class Heartbeat:
    """Notes the time again and again. `beat` by itself is for tests; `start` begins a thread that does so until the
    process ends."""

    def __init__(self, clock: Clock = time.monotonic, sleep: Callable[[float], object] = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self.started_s = clock()
        self._beats_s = deque([self.started_s] * _BEATS_BACK, maxlen=_BEATS_BACK)

    def start(self) -> None:
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        self._beats_s.append(self._clock())

    def late_s(self, now_s: float, waited_since_s: float) -> float:
        """How late a reading of now may be, at most, seconds. `waited_since_s`: nothing can have come before that."""
        watched_since_s = self._beats_s[0] if self.started_s <= waited_since_s else waited_since_s
        return max(0.0, now_s - max(watched_since_s, waited_since_s))

    def _run(self) -> None:
        while True:
            self._sleep(BEAT_S)
            self.beat()


def heartbeat() -> Heartbeat:
    """The heartbeat of this process, which beats from the first call on."""
    return _heartbeat_of(os.getpid())


@functools.cache
def _heartbeat_of(pid: int) -> Heartbeat:
    """One for each process: a thread doesn't outlive a fork."""
    made = Heartbeat()
    made.start()
    return made

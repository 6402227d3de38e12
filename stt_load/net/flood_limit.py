"""How much a server may send on one connection. No protocol of speech recognition comes near: a caller whose server
sends more would cost this process the time and the memory of the others."""

from __future__ import annotations

import time

import msgspec

from stt_load.clock import Clock
from stt_load.errors import ProtocolError


class Flood(msgspec.Struct, frozen=True):
    """From when on it is one: more than `per_s` of `unit` a second on average. A server that was held up may catch up
    with what it did not send, up to `most_at_once`; `at_first`: where the connection has just been opened."""

    unit: str
    per_s: int
    at_first: int
    most_at_once: int


# 200 a second are two answers to each frame of 10 ms; pings, pongs and fragments count too.
MESSAGES = Flood("messages, pings, pongs and fragments", per_s=500, at_first=1_000, most_at_once=10_000)
# A transcript of an hour with a time for each word, sent whole ten times a second.
BYTES = Flood("bytes", per_s=4 << 20, at_first=8 << 20, most_at_once=32 << 20)


class FloodLimit:
    """What one server may still send. `take` raises ProtocolError where it floods."""

    __slots__ = ("_clock", "_flood", "_left", "_since_s")

    def __init__(self, flood: Flood, clock: Clock = time.monotonic) -> None:
        self._flood = flood
        self._clock = clock
        self._left: float = flood.at_first
        self._since_s = clock()

    def take(self, n: int = 1) -> None:
        """The server sent `n` more."""
        self._left -= n
        if self._left < 0:
            self._refill(n)

    def _refill(self, n: int) -> None:
        """The clock is read only when the rest of the last time is used up: most connections never get there."""
        flood, since_s, self._since_s = self._flood, self._since_s, self._clock()
        had = self._left + n + flood.per_s * (self._since_s - since_s)
        self._left = min(flood.most_at_once, had) - n
        if self._left < 0:
            raise ProtocolError(f"the server floods: more than {flood.per_s:,} {flood.unit} a second")

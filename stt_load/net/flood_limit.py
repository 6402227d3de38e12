"""How much a server may send on one connection. No protocol of speech recognition comes near: a caller whose server
sends more would cost this process the time and the memory of the others."""

from __future__ import annotations

import time

import msgspec

from stt_load.errors import ProtocolError


class Flood(msgspec.Struct, frozen=True):
    """From when on it is one: more than `per_s` a second on average. `at_first`: so many may come at once where the
    connection has just been opened. A server that was held up may catch up with what it did not send, up to
    `most_at_once`."""

    per_s: int
    at_first: int
    most_at_once: int


MESSAGES = Flood(per_s=500, at_first=1_000, most_at_once=10_000)
"""Pings, pongs and fragments count too. 200 a second are two answers to each frame of 10 ms."""

BYTES = Flood(per_s=4 << 20, at_first=8 << 20, most_at_once=32 << 20)
"""A transcript of an hour with a time for each word, sent whole ten times a second, keeps within it."""


class FloodLimit:
    """What one server may still send. `take_message` and `take_bytes` raise ProtocolError where it floods.

    The clock is read only when what is left is used up: most connections never get there.
    """

    __slots__ = ("_bytes_left", "_messages_left", "_since_s")

    def __init__(self) -> None:
        self._messages_left: float = MESSAGES.at_first
        self._bytes_left: float = BYTES.at_first
        self._since_s = time.monotonic()

    def take_message(self) -> None:
        """The server sent one more, whatever it is."""
        self._messages_left -= 1
        if self._messages_left < 0:
            self._refill()

    def take_bytes(self, n: int) -> None:
        """The server sent `n` more."""
        self._bytes_left -= n
        if self._bytes_left < 0:
            self._refill()

    def _refill(self) -> None:
        now_s = time.monotonic()
        passed_s, self._since_s = now_s - self._since_s, now_s
        self._messages_left = min(MESSAGES.most_at_once, self._messages_left + MESSAGES.per_s * passed_s)
        self._bytes_left = min(BYTES.most_at_once, self._bytes_left + BYTES.per_s * passed_s)
        if self._messages_left < 0:
            what = f"{MESSAGES.per_s} messages, pings, pongs and fragments"
        elif self._bytes_left < 0:
            what = f"{BYTES.per_s:,} bytes"
        else:
            return
        raise ProtocolError(f"the server floods: more than {what} a second")

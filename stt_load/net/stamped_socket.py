"""A socket that reads in large pieces and remembers when the kernel received them.

It stands where websocket-client and `http.client` expect a socket. Those ask for a websocket frame in three reads, for
an answer in small ones, which costs a system call each without the buffer. It waits, up to one absolute deadline; the
one that doesn't wait is in `paced.py`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time

from stt_load.errors import ProtocolError
from stt_load.records import Stamp

# asm-generic/socket.h; Python has no names for them. The kernel adds a struct timespec of the wall clock to every
# recvmsg of a TCP socket, taken when the last segment that the call returned came in.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)

# What three clock readings in a row take at most, undisturbed, and how often they are tried.
_CLOCK_READING_S = 20e-6
_CLOCK_READINGS = 3

READ_BYTES = 65_536
MAX_MESSAGE_BYTES = 1 << 20  # a transcript is a few hundred bytes; what is larger is no transcript

Data = bytes | memoryview
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket that doesn't wait says when it would have to."""


class StampedSocket:
    """Wraps a connected TCP or TLS socket. Set `deadline_s` (monotonic) before every call into it.

    Raises TimeoutError at the deadline; ProtocolError when one message grows beyond `MAX_MESSAGE_BYTES`.
    """

    __slots__ = ("_buffer", "_message_bytes", "_position", "_raw", "arrived_s", "deadline_s", "stamp")

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._buffer = b""
        self._position = 0
        self._message_bytes = 0
        self.deadline_s = 0.0
        self.arrived_s = 0.0
        self.stamp: Stamp = "read"
        if not isinstance(raw, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                self.stamp = "kernel"

    def begin_message(self) -> None:
        """The message before this one is complete: start counting its successor's bytes."""
        self._message_bytes = 0

    def recv(self, n_bytes: int) -> bytes:
        if self._position == len(self._buffer):
            self._fill()
        chunk = self._buffer[self._position : self._position + n_bytes]
        self._position += len(chunk)
        self._count(len(chunk))
        return chunk

    def send(self, data: Data) -> int:
        """As a socket's `send`."""
        self._raw.settimeout(max(0.0, self.deadline_s - time.monotonic()))
        try:
            return self._raw.send(data)
        except NOT_NOW as error:
            raise TimeoutError("the deadline passed") from error

    def _count(self, n_bytes: int) -> None:
        self._message_bytes += n_bytes
        if self._message_bytes > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")

    def _fill(self) -> None:
        self._raw.settimeout(max(0.0, self.deadline_s - time.monotonic()))
        try:
            self._read()
        except NOT_NOW as error:
            raise TimeoutError("the deadline passed") from error

    def _read(self) -> None:
        if self.stamp == "kernel":
            self._buffer, ancillary, _, _ = self._raw.recvmsg(READ_BYTES, _ANCILLARY_BYTES)
        else:
            self._buffer, ancillary = self._raw.recv(READ_BYTES), []
        self._position = 0
        self.arrived_s = _arrival_s(ancillary)

    # what websocket-client and the standard library ask of a socket

    def gettimeout(self) -> float:
        return 0.0  # the deadline is kept here: nobody else is to wait

    def settimeout(self, timeout: float | None) -> None:
        """The deadline is absolute and lives in `deadline_s`."""

    def fileno(self) -> int:
        return self._raw.fileno()

    def shutdown(self, how: int) -> None:
        self._raw.shutdown(how)

    def close(self) -> None:
        self._raw.close()


def _arrival_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Kernel receive stamp as monotonic seconds, or now where there is none.

    The kernel stamps with the wall clock. The step between the two clocks is taken at the read, microseconds to
    milliseconds after the stamp, so only a wall clock set in that very moment could disturb it. A process that is
    put aside between two readings would make an arrival too early: then they are read again.
    """
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = map(int, _TIMESPEC.unpack_from(data))
            for _ in range(_CLOCK_READINGS):
                before_s, wall_s, now_s = time.monotonic(), time.time(), time.monotonic()
                if now_s - before_s < _CLOCK_READING_S:
                    break
            return now_s - max(0.0, wall_s - (seconds + nanoseconds * 1e-9))
    return time.monotonic()

"""A socket that reads in large pieces and remembers when the kernel received them.

It stands where websocket-client and `http.client` expect a socket. Those ask for a byte at a time while they read a
head, and for a websocket frame in three reads, which costs a system call each without the buffer. It waits, up to one
absolute deadline, until `stop_waiting` hands it to a pacer: from then on it reads what is here and writes what the
kernel takes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable

from stt_load.errors import ProtocolError
from stt_load.stream.transport import Stamp

# asm-generic/socket.h; Python has no names for them. The kernel adds a struct timespec of the wall clock to every
# recvmsg of a TCP socket, taken when the last segment that the call returned came in.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)

# What three clock readings in a row take at most, undisturbed, and how often they are tried.
_CLOCK_READING_S = 20e-6
_CLOCK_READINGS = 3

_READ_BYTES = 65_536
MAX_MESSAGE_BYTES = 1 << 20  # a transcript is a few hundred bytes; what is larger is no transcript

Data = bytes | memoryview
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket that doesn't wait says when it would have to."""


class StampedSocket:
    """Wraps a connected TCP or TLS socket. While it waits, set `deadline_s` (monotonic) before every call into it.

    Raises TimeoutError at the deadline, or where nothing is here and it doesn't wait; ProtocolError when one message
    grows beyond `MAX_MESSAGE_BYTES`.
    """

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._buffer = b""
        self._position = 0
        self._message_bytes = 0
        self._is_waiting = True
        self._is_drained = False  # the last read left nothing in the kernel
        self._write: Callable[[Data], int] = raw.send
        self._unsent = bytearray()
        self.deadline_s = 0.0
        self.arrived_s = 0.0
        self.stamp: Stamp = "read"
        if not isinstance(raw, ssl.SSLSocket):
            # The file itself rather than the socket: under Locust each send of a socket goes through Python.
            self._write = functools.partial(os.write, raw.fileno())
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                self.stamp = "kernel"

    def stop_waiting(self) -> None:
        """From now on nothing waits here."""
        self._is_waiting = False
        self._raw.setblocking(False)

    def begin_message(self) -> None:
        """The message before this one is complete: start counting its successor's bytes."""
        self._message_bytes = 0

    def has_data(self) -> bool:
        """Something is here to be read. Reads at most once from the kernel; raises OSError where that fails."""
        if self._position < len(self._buffer):
            return True
        if self._is_drained:
            self._is_drained = False  # the pacer's poll tells when there is more
            return False
        try:
            self._read()
        except NOT_NOW:
            return False
        return True

    def recv(self, n_bytes: int) -> bytes:
        if self._position == len(self._buffer):
            self._fill()
        chunk = self._buffer[self._position : self._position + n_bytes]
        self._position += len(chunk)
        self._count(len(chunk))
        return chunk

    def recv_line(self) -> bytes:
        """Up to and with the next line feed. Raises ConnectionError where the stream ends before it."""
        line = b""
        while not line.endswith(b"\n"):
            if self._position == len(self._buffer):
                self._fill()
                if not self._buffer:
                    raise ConnectionError("Connection to remote host was lost.")
            end = self._buffer.find(b"\n", self._position) + 1 or len(self._buffer)
            line += self._buffer[self._position : end]
            self._count(end - self._position)
            self._position = end
        return line

    def send(self, data: Data) -> int:
        """While it waits, as a socket's `send`. Later everything is taken, and what the kernel doesn't take waits for
        `flush`: the library has answers of its own to send, and must not be kept waiting."""
        if not self._is_waiting:
            self.hand_over(data)
            return len(data)
        self._raw.settimeout(max(0.0, self.deadline_s - time.monotonic()))
        try:
            return self._raw.send(data)
        except NOT_NOW as error:
            raise TimeoutError("the deadline passed") from error

    def hand_over(self, data: Data) -> bool:
        """Whether the kernel has all of it now; what it didn't take is kept. Raises OSError."""
        if self._unsent:
            self._unsent += data
            return False
        try:
            n_bytes = self._write(data)
        except NOT_NOW:
            n_bytes = 0
        if n_bytes == len(data):
            return True
        self._unsent += data[n_bytes:]
        return False

    def flush(self) -> bool:
        """Goes on with what was kept; whether nothing is left. Raises OSError."""
        try:
            while self._unsent:
                del self._unsent[: self._write(bytes(self._unsent))]
        except NOT_NOW:
            return False
        return True

    def _count(self, n_bytes: int) -> None:
        self._message_bytes += n_bytes
        if self._message_bytes > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of more than {MAX_MESSAGE_BYTES} bytes")

    def _fill(self) -> None:
        if self._is_waiting:
            self._raw.settimeout(max(0.0, self.deadline_s - time.monotonic()))
        elif self._is_drained:
            self._is_drained = False
            raise TimeoutError("nothing more is here")
        try:
            self._read()
        except NOT_NOW as error:
            raise TimeoutError("the deadline passed") from error

    def _read(self) -> None:
        if self.stamp == "kernel":
            self._buffer, ancillary, _, _ = self._raw.recvmsg(_READ_BYTES, _ANCILLARY_BYTES)
            self._is_drained = not self._is_waiting and 0 < len(self._buffer) < _READ_BYTES
        else:  # of TLS only it knows itself whether more has been read than was asked for
            self._buffer, ancillary = self._raw.recv(_READ_BYTES), []
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

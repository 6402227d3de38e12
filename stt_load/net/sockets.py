"""Sockets that read in large pieces and remember when the kernel received them.

    StampedSocket      waits, up to one absolute deadline: for a request and its answer
    NonBlockingSocket  never waits: for the pacing loop, which has thousands of them

A frame or a line of HTTP is read in several small reads, each of which would cost a system call without the buffer.
"""

from __future__ import annotations

import _socket
import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any

from stt_load.errors import ProtocolError
from stt_load.net.flood_limit import FloodLimit
from stt_load.net.heartbeat import heartbeat
from stt_load.net.receive_stamps import ANCILLARY_BYTES, SO_TIMESTAMPNS, kernel_stamps
from stt_load.records import Stamp
from stt_load.session.websocket_frames import FastFrame, read_fast_frame

# The kernel adds a struct timespec of the wall clock to every recvmsg of a TCP socket, taken when the last segment that
# the call returned came in.
_TIMESPEC = struct.Struct("@qq")
_Ancillary = list[tuple[int, int, bytes]]

# What three clock readings in a row take at most, undisturbed, and how often they are tried.
_CLOCK_READING_S = 20e-6
_CLOCK_READINGS = 3
# A segment is stamped a little before it is there to be read, and the two clocks are read one after the other.
_STAMP_SLACK_S = 0.005

_READ_BYTES = 65_536
MAX_MESSAGE_BYTES = 1 << 20  # a transcript is a few hundred bytes; what is larger is no transcript

Data = bytes | memoryview
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class StampedSocket:
    """Wraps a connected TCP or TLS socket. Set `deadline_s` (monotonic) before every call into it.

    `arrived_s`: when the bytes of the latest read arrived, monotonic seconds. `stamp`: whether the kernel says so, or
    they were read then: the kernel has no stamp for the end of the stream, and one that the wall clock moved is not
    believed. `late_s`: how long before that they may have arrived, seconds; None where the kernel knows.
    Raises TimeoutError at the deadline; ProtocolError when one message grows beyond `MAX_MESSAGE_BYTES`.
    """

    __slots__ = (
        "_buffer",
        "_has_stamps",
        "_is_tls",
        "_message_bytes",
        "_peeked",
        "_position",
        "_raw",
        "_since_s",
        "arrived_s",
        "deadline_s",
        "late_s",
        "stamp",
    )

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._buffer = b""
        self._position = 0
        self._message_bytes = 0
        self.deadline_s = 0.0
        self.arrived_s = 0.0
        self.late_s: float | None = None
        self._since_s = time.monotonic()  # nothing that is still unread can have come before this
        # OpenSSL reads without asking for stamps. They come with a look at the bytes that leaves them where they are.
        self._is_tls = isinstance(raw, ssl.SSLSocket)
        self._peeked = _inner_socket(raw) if self._is_tls else None
        self._has_stamps = False
        if kernel_stamps() and (self._peeked is not None or not self._is_tls):
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                self._has_stamps = True
        self.stamp: Stamp = "kernel" if self._has_stamps else "read"
        if not self._has_stamps:
            heartbeat()

    def begin_message(self) -> None:
        """Says that the message before this one is complete: its successor's bytes are counted from zero."""
        self._message_bytes = 0

    def recv(self, n_bytes: int) -> bytes:
        """At most `n_bytes`, from the buffer or from one read of the kernel; empty at the end of the stream."""
        if self._position == len(self._buffer):
            self._fill()
        chunk = self._buffer[self._position : self._position + n_bytes]
        self._position += len(chunk)
        self._message_bytes += len(chunk)
        if self._message_bytes > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of more than {MAX_MESSAGE_BYTES:,} bytes")
        return chunk

    def send(self, data: Data) -> int:
        """Waits until the kernel takes something of `data`; gives how many bytes it took."""
        self._raw.settimeout(max(0.0, self.deadline_s - time.monotonic()))
        try:
            return self._raw.send(data)
        except _WOULD_BLOCK as error:
            raise TimeoutError("the deadline passed") from error

    def send_or_hear(self, data: Data) -> int | None:
        """Does what `send` does, but gives None where the peer has said something, or left, before it took any."""
        while True:
            self._raw.settimeout(0.0)
            try:
                return self._raw.send(data)
            except _WOULD_BLOCK as error:
                events = _wait_for(self._raw, select.POLLIN | select.POLLOUT, self.deadline_s - time.monotonic())
                if not events:
                    raise TimeoutError("the deadline passed") from error
                if events & select.POLLIN:
                    return None

    def recv_if_here(self, n_bytes: int) -> bytes | None:
        """Does what `recv` does, but gives None where nothing is here yet."""
        if self._position == len(self._buffer):
            self._raw.settimeout(0.0)
            try:
                self._read()
            except _WOULD_BLOCK:
                return None
        return self.recv(n_bytes)

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()

    def _fill(self) -> None:
        while True:
            left_s = max(0.0, self.deadline_s - time.monotonic())
            # TLS would wait within a read, for the rest of a record, which comes later than what was looked at before.
            waits = self._peeked is None
            self._raw.settimeout(left_s if waits else 0.0)
            try:
                self._read()
                return
            except _WOULD_BLOCK as error:
                wanted = select.POLLOUT if isinstance(error, ssl.SSLWantWriteError) else select.POLLIN
                if waits or not _wait_for(self._raw, wanted, left_s):
                    raise TimeoutError("the deadline passed") from error

    def _read(self) -> None:
        ancillary: _Ancillary = []
        looked_s = time.monotonic()
        try:
            if not self._has_stamps:
                self._buffer = self._raw.recv(_READ_BYTES)
            elif self._peeked is None:
                self._buffer, ancillary, _, _ = self._raw.recvmsg(_READ_BYTES, ANCILLARY_BYTES)
            else:
                _, ancillary, _, _ = _socket.socket.recvmsg(self._peeked, _READ_BYTES, ANCILLARY_BYTES, socket.MSG_PEEK)
                self._buffer = self._raw.recv(_READ_BYTES)
        except _WOULD_BLOCK:
            self._since_s = looked_s
            raise
        self._position = 0
        self._note_arrival(ancillary)
        if len(self._buffer) < _READ_BYTES and not self._is_tls:
            self._since_s = looked_s  # the read took all there was; of TLS it takes a record, and there may be more

    def _note_arrival(self, ancillary: _Ancillary) -> None:
        arrived_s, late_s = _kernel_stamp(ancillary, self._since_s)
        if arrived_s is not None:
            self.arrived_s, self.stamp, self.late_s = arrived_s, "kernel", None
            return
        self.arrived_s = time.monotonic()
        if self._buffer:  # the end of the stream has no stamp, and is no message
            known_s = heartbeat().late_s(self.arrived_s, self._since_s) if late_s is None else late_s
            self.stamp, self.late_s = "read", known_s


class NonBlockingSocket(StampedSocket):
    """Wraps a connected, non-blocking TCP or TLS socket: reads what is here and writes what the kernel takes.

    `recv` raises BlockingIOError where nothing is here, `has_data` and `recv` ProtocolError where the peer floods, by
    `flood_limit`. `deadline_s` is not used.
    """

    __slots__ = ("_is_drained", "_unsent", "_write", "flood_limit")

    def __init__(self, raw: Any) -> None:
        super().__init__(raw)
        self.flood_limit = FloodLimit()
        self._is_drained = False  # the last read left nothing in the kernel
        self._unsent: bytearray | None = None  # what the kernel has not taken
        self._write: Callable[[Data], int] = raw.send

    def has_data(self) -> bool:
        """Whether something is here to be read, or the end of the stream. Reads at most once from the kernel; raises
        OSError where that fails."""
        if self._position < len(self._buffer):
            return True
        if self._is_drained:
            self._is_drained = False  # the pacer's poller tells when there is more
            return False
        try:
            self._read()
        except _WOULD_BLOCK:
            return False
        return True

    def read_buffered(self) -> bytes:
        """All that the kernel gave and nobody has read yet; after `has_data`, empty only at the end of the stream."""
        data = self._buffer[self._position :]
        self._position = len(self._buffer)
        return data

    def unread(self, data: bytes) -> None:
        """Puts back `data`, the end of what `read_buffered` gave."""
        self._buffer, self._position = data, 0

    def read_frame(self) -> FastFrame | None:
        """The next websocket frame of the buffer, or None where the fast path can't read it; it is left there then."""
        frame = read_fast_frame(self._buffer, self._position)
        if frame is not None:
            self._position = frame.end
        return frame

    def write(self, data: Data) -> bool:
        """Whether the kernel has all of `data` now. What it didn't take is kept for `flush`. Raises OSError."""
        if self._unsent is not None:
            self._unsent += data
            return False
        try:
            n_bytes = self._write(data)
        except _WOULD_BLOCK:
            n_bytes = 0
        if n_bytes == len(data):
            return True
        self._unsent = bytearray(data[n_bytes:])
        return False

    @property
    def is_flushed(self) -> bool:
        """Whether the kernel has all that was written."""
        return self._unsent is None

    def write_last(self, data: Data) -> None:
        """Hands over the last of what is said, as far as the kernel takes it: it goes with the end of the connection,
        in one segment, when this is closed. Raises OSError."""
        if self._unsent is None:
            flags = () if self._is_tls else (socket.MSG_MORE,)
            with contextlib.suppress(*_WOULD_BLOCK):
                self._raw.send(data, *flags)

    def flush(self) -> bool:
        """Goes on with what was kept; whether nothing is left of it. Raises OSError."""
        try:
            while self._unsent:
                with memoryview(self._unsent) as rest:
                    n_bytes = self._write(rest)
                del self._unsent[:n_bytes]
        except _WOULD_BLOCK:
            return False
        self._unsent = None
        return True

    def _fill(self) -> None:
        if self._is_drained:
            self._is_drained = False
            raise BlockingIOError("nothing more is here")
        try:
            self._read()
        except _WOULD_BLOCK as error:
            raise BlockingIOError("nothing more is here") from error

    def _read(self) -> None:
        super()._read()
        # Of TLS only it knows itself whether more has been read than was asked for.
        self._is_drained = not self._is_tls and 0 < len(self._buffer) < _READ_BYTES
        self.flood_limit.take_bytes(len(self._buffer))


def _inner_socket(raw: Any) -> _socket.socket | None:
    """The socket of the C library inside a TLS socket: its own base, or what gevent's has inside."""
    inner = getattr(raw, "_sock", raw)
    return inner if isinstance(inner, _socket.socket) else None


def _wait_for(raw: socket.socket, events: int, limit_s: float) -> int:
    """Waits until one of these events of poll(2) happens, or an error does; 0 where none does within `limit_s`."""
    poll = select.poll()
    poll.register(raw, events)
    return next((happened for _, happened in poll.poll(1_000 * max(0.0, limit_s))), 0)


_wall_ahead_s = 0.0
"""How far the wall clock was ahead of the monotonic one at the last stamp that was believed."""


def _kernel_stamp(ancillary: _Ancillary, since_s: float) -> tuple[float | None, float | None]:
    """The kernel's receive stamp as monotonic seconds. None where there is none to be believed; then, where that is
    known, how long ago the bytes came.

    The kernel stamps with the wall clock. The step between the two clocks is taken at the read, microseconds to
    milliseconds after the stamp. A process that is put aside between two readings would make an arrival too early: then
    they are read again. A stamp that can't be right was taken before somebody set the wall clock.
    """
    global _wall_ahead_s
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            for _ in range(_CLOCK_READINGS):
                before_s, wall_s, now_s = time.monotonic(), time.time(), time.monotonic()
                if now_s - before_s < _CLOCK_READING_S:
                    break
            stamp_s, ahead_s = seconds + nanoseconds * 1e-9, wall_s - now_s
            arrived_s = believed_s(stamp_s - ahead_s, since_s, now_s)
            if arrived_s is not None:
                _wall_ahead_s = ahead_s
                return arrived_s, None
            arrived_s = believed_s(stamp_s - _wall_ahead_s, since_s, now_s)
            return None, None if arrived_s is None else now_s - arrived_s
    return None, None


def believed_s(arrived_s: float, since_s: float, now_s: float) -> float | None:
    """An arrival by its stamp, monotonic seconds; None where it can't be right: in the future, or before `since_s`,
    when nothing was there. The stamp of a segment that had to wait for a lost one before it is wrong too."""
    if not since_s - _STAMP_SLACK_S <= arrived_s <= now_s + _STAMP_SLACK_S:
        return None
    return min(arrived_s, now_s)

"""A stamped socket that nobody waits for: it reads what is here and writes what the kernel takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stt_load.net.stamped_socket import NOT_NOW, READ_BYTES, Data, StampedSocket
from stt_load.session.server_frames import FastFrame, read_fast_frame


class NonBlockingSocket(StampedSocket):
    """Wraps a connected, non-blocking TCP or TLS socket. To websocket-client it is a socket whose reads time out where
    nothing is here: it keeps what it has of a message and goes on with it later."""

    __slots__ = ("_is_drained", "_unsent", "_write")

    def __init__(self, raw: Any) -> None:
        super().__init__(raw)
        self._is_drained = False  # the last read left nothing in the kernel
        self._unsent: bytearray | None = None  # what the kernel has not taken
        self._write: Callable[[Data], int] = raw.send

    def has_data(self) -> bool:
        """Something is here to be read, or the end. Reads at most once from the kernel; raises OSError where that
        fails."""
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

    def take(self) -> bytes:
        """All that was read and nobody has taken yet; empty only at the end of the stream, after `has_data`."""
        data = self._buffer[self._position :]
        self._position = len(self._buffer)
        return data

    def put_back(self, data: bytes) -> None:
        """The end of what was taken."""
        self._position = len(self._buffer) - len(data)

    def take_frame(self) -> FastFrame | None:
        """The next one of what was read, where it is a plain one."""
        frame = read_fast_frame(self._buffer, self._position)
        if frame is not None:
            self._position = frame.end
        return frame

    def send(self, data: Data) -> int:
        """For answers of the library's own, to pings: everything is taken, and what the kernel doesn't take waits for
        `flush`."""
        self.hand_over(data)
        return len(data)

    def hand_over(self, data: Data) -> bool:
        """Whether the kernel has all of it now; what it didn't take is kept. Raises OSError."""
        if self._unsent is not None:
            self._unsent += data
            return False
        try:
            n_bytes = self._write(data)
        except NOT_NOW:
            n_bytes = 0
        if n_bytes == len(data):
            return True
        self._unsent = bytearray(data[n_bytes:])
        return False

    def flush(self) -> bool:
        """Goes on with what was kept; whether nothing is left. Raises OSError."""
        try:
            while self._unsent:
                with memoryview(self._unsent) as rest:
                    n_bytes = self._write(rest)
                del self._unsent[:n_bytes]
        except NOT_NOW:
            return False
        self._unsent = None
        return True

    def _fill(self) -> None:
        if self._is_drained:
            self._is_drained = False
            raise TimeoutError("nothing more is here")
        try:
            self._read()
        except NOT_NOW as error:
            raise TimeoutError("nothing more is here") from error

    def _read(self) -> None:
        super()._read()
        # Of TLS only it knows itself whether more has been read than was asked for.
        self._is_drained = self.stamp == "kernel" and 0 < len(self._buffer) < READ_BYTES

"""Whether this kernel says when bytes arrived over TCP: tried out once in each process, and kept switched on.

Linux stamps packets only while some socket asks for it, and needs a moment after the first has asked. A connection that
is opened then would have no stamps for its first bytes, so one pair of sockets asks as long as the process lives.
"""

from __future__ import annotations

import _socket
import contextlib
import functools
import os
import socket
import time

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it
ANCILLARY_BYTES = socket.CMSG_SPACE(16)  # a struct timespec
_DEADLINE_S = 0.5
_PAUSE_S = 0.001


def kernel_stamps() -> bool:
    """The kernel stamps what arrives: Linux does, gVisor for example does not. Waits for up to half a second, the first
    time."""
    return _keeper_of(os.getpid()) is not None


@functools.cache
def _keeper_of(pid: int) -> _Keeper | None:
    """One for each process, since a fork shares its sockets. None where no stamps come."""
    try:
        keeper = _Keeper()
        if keeper.stamps_come():
            return keeper
        keeper.close()
    except OSError:
        pass  # no loopback, or no such option
    return None


class _Keeper:
    """A connection of this process with itself, over loopback. Its sockets are those of the C library: those of Locust
    would let others go on in the middle of a round of the pacing loop."""

    def __init__(self) -> None:
        self._ours, self._theirs = _connected_pair()
        self._ours.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._ours.settimeout(_PAUSE_S)

    def stamps_come(self) -> bool:
        deadline_s = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline_s:
            self._theirs.send(b"?")
            _, ancillary, _, _ = self._ours.recvmsg(1, ANCILLARY_BYTES)
            if any(kind == SO_TIMESTAMPNS for _, kind, _ in ancillary):
                return True
            with contextlib.suppress(TimeoutError):
                self._ours.recv(1)  # nothing is here: a pause
        return False

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def _connected_pair() -> tuple[_socket.socket, _socket.socket]:
    listener = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    ours = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        ours.connect(listener.getsockname())
        descriptor, _ = listener._accept()  # type: ignore[attr-defined]
    except OSError:
        ours.close()
        raise
    finally:
        listener.close()
    return ours, _socket.socket(fileno=descriptor)

"""The times at which a server's socket received its bytes, by the kernel's receive stamps.

The same few lines stand in `stt_load/net/sockets.py`, and should: what the scripted recogniser and the sink log
is the truth that code is judged by, so it can't be the same code.
"""

from __future__ import annotations

import socket
import struct
import time

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_TIMESPEC = struct.Struct("@qq")
ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)

_CLOCK_READINGS = 4
_CLOCK_READING_S = 20e-6

Ancillary = list[tuple[int, int, bytes]]


def ask_for_stamps(raw: socket.socket) -> bool:
    """Asks the kernel to stamp what `recvmsg(…, ANCILLARY_BYTES)` returns. False where it can't."""
    try:
        raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def received_s(*reads: Ancillary) -> list[float]:
    """The monotonic time at which the kernel had the last byte of each of these reads; now, where it gave no stamp.

    The kernel stamps with the wall clock, and the step between the clocks is read anew at each call, since the wall
    clock may be set or slewed. Two readings of the step differ by nanoseconds to microseconds: whoever compares the
    times of several reads converts them in one call, which keeps their order.
    """
    wall_s, now_s = _read_clocks()
    return [_converted_s(ancillary, wall_s, now_s) for ancillary in reads]


def _read_clocks() -> tuple[float, float]:
    """The wall clock and the monotonic clock at the same moment: a pause between the two readings would count as age
    of a stamp, so the pair of several with the shortest pause is taken."""
    shortest_s = float("inf")
    for _ in range(_CLOCK_READINGS):
        before_s, wall_s, now_s = time.monotonic(), time.time(), time.monotonic()
        if now_s - before_s < shortest_s:
            shortest_s, clocks = now_s - before_s, (wall_s, now_s)
        if shortest_s < _CLOCK_READING_S:
            break
    return clocks


def _converted_s(ancillary: Ancillary, wall_s: float, now_s: float) -> float:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            stamp_s: float = seconds + nanoseconds * 1e-9
            return now_s - max(0.0, wall_s - stamp_s)
    return now_s

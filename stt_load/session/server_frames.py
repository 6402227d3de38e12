"""The frames of a server that are read without a library: whole, unmasked, in one piece, as nearly all of them are.

RFC 6455 section 5.2. A library's reading costs twenty times as much, and servers send a partial text every few frames
of every caller. Whatever is out of the ordinary in the least is left to the library: fragments, pings, extensions,
masks, long messages, halves of messages, close frames that say more than that all is well.
"""

from __future__ import annotations

from typing import NamedTuple

TEXT, BINARY, CLOSE = 0x1, 0x2, 0x8

_FIN = 0x80
_HEADERS = {_FIN | opcode: opcode for opcode in (TEXT, BINARY, CLOSE)}
_TWO_BYTE_LENGTH = 126
_NORMAL_CLOSURE = (1000).to_bytes(2)


class FastFrame(NamedTuple):
    """`end`: where the next one begins."""

    opcode: int
    payload: bytes
    end: int


def read_fast_frame(data: bytes, start: int) -> FastFrame | None:
    """The one that begins at `start`; None where it takes a library to read it."""
    if len(data) < start + 4:
        return None
    opcode, length, payload_at = _HEADERS.get(data[start]), data[start + 1], start + 2
    if length == _TWO_BYTE_LENGTH:
        length, payload_at = data[start + 2] << 8 | data[start + 3], start + 4
    elif length > _TWO_BYTE_LENGTH:
        return None
    end = payload_at + length
    if opcode is None or end > len(data):
        return None
    payload = data[payload_at:end]
    if opcode == CLOSE and payload != _NORMAL_CLOSURE:
        return None
    return FastFrame(opcode, payload, end)

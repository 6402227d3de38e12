"""What a client's websocket bytes hold, as cheaply as can be told: text is read, audio is counted and passed over.

Only headers of binary frames are looked at; their payload is never unmasked, copied or kept. Framing: RFC 6455,
section 5.2. Bytes in, what was heard out; no socket, no clock.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

_CONTINUATION, _TEXT, _BINARY = 0x0, 0x1, 0x2
_FIN, _RESERVED, _MASKED = 0x80, 0x70, 0x80
_LONGEST_CONTROL_BYTES = 125
LONGEST_TEXT_BYTES = 65_536


class Kind(IntEnum):
    """Of what was heard; the values are the opcodes."""

    TEXT = 0x1
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


Heard = tuple[Kind, bytes]
"""A whole text message or control frame, unmasked."""
_NOTHING: Sequence[Heard] = ()


class BrokenFrame(Exception):
    """No client may send this. `close_code`: what it is told."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code


@dataclass(slots=True)
class Tally:
    """Binary frames that were received whole, and the payload bytes of them and of those under way."""

    frames: int = 0
    payload_bytes: int = 0


class ClientFrames:
    """One client's frames, in whatever pieces they come. Counts into `tally`, which clients may share."""

    __slots__ = ("_left", "_rest", "_tally", "_text")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._left = 0  # bytes of the binary frame under way
        self._rest = b""  # the beginning of a frame that isn't passed over
        self._text: bytes | None = None  # the fragments of a text message under way

    def feed(self, data: bytes | bytearray, n_bytes: int) -> Sequence[Heard]:
        """The first `n_bytes` of `data`, in order behind all that was fed before. Raises BrokenFrame."""
        if self._rest:
            data, self._rest = self._rest + data[:n_bytes], b""
            n_bytes = len(data)
        at = self._left
        if at > n_bytes:
            self._left = at - n_bytes
            return _NOTHING
        tally = self._tally
        tally.frames += at > 0
        heard: list[Heard] | None = None
        while at < n_bytes:
            # Binary, whole, masked, with a length of two bytes: all but a handful of frames in practice.
            if n_bytes - at >= 8 and data[at] == 0x82 and data[at + 1] == 0xFE:
                size = data[at + 2] << 8 | data[at + 3]
                at += 8 + size
            else:
                header = _header_of(data, at, n_bytes)
                if header is None:
                    break
                opcode, is_last, head_bytes, size = header
                if opcode != _BINARY and not (opcode == _CONTINUATION and self._text is None):
                    end = at + head_bytes + size
                    if end > n_bytes:
                        break
                    message = self._on_readable(opcode, is_last, _unmask(data, at + head_bytes, end))
                    if message is not None:
                        heard = heard or []
                        heard.append(message)
                    at = end
                    continue
                at += head_bytes + size
            tally.payload_bytes += size
            if at <= n_bytes:
                tally.frames += 1
        self._left = max(0, at - n_bytes)
        if at < n_bytes:
            self._rest = bytes(data[at:n_bytes])
        return heard or _NOTHING

    def _on_readable(self, opcode: int, is_last: bool, payload: bytes) -> Heard | None:
        """A frame that is no audio; None where more of its message is to come."""
        if opcode not in (_TEXT, _CONTINUATION):
            return Kind(opcode), payload
        whole = (self._text or b"") + payload
        if len(whole) > LONGEST_TEXT_BYTES:
            raise BrokenFrame(1009, f"a text of more than {LONGEST_TEXT_BYTES} bytes")
        self._text = None if is_last else whole
        return (Kind.TEXT, whole) if is_last else None


def _header_of(data: bytes | bytearray, at: int, end: int) -> tuple[int, bool, int, int] | None:
    """Opcode, whether it ends its message, bytes of the header, bytes of the payload. None: not all of it is there."""
    if end - at < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, is_last, size = first & 0x0F, bool(first & _FIN), second & 0x7F
    if first & _RESERVED:
        raise BrokenFrame(1002, "a reserved bit is set, and no extension was agreed on")
    if not second & _MASKED:
        raise BrokenFrame(1002, "a client must mask its frames")
    if opcode >= 0x8:
        if opcode > Kind.PONG or not is_last or size > _LONGEST_CONTROL_BYTES:
            raise BrokenFrame(1002, "no control frame of RFC 6455")
    elif opcode > _BINARY:
        raise BrokenFrame(1002, f"opcode {opcode} means nothing")
    head_bytes = {126: 8, 127: 14}.get(size, 6)
    if end - at < head_bytes:
        return None
    if size >= 126:
        (size,) = struct.unpack_from("!H" if size == 126 else "!Q", data, at + 2)
    if opcode == _TEXT and size > LONGEST_TEXT_BYTES:
        raise BrokenFrame(1009, f"a text of more than {LONGEST_TEXT_BYTES} bytes")
    return opcode, is_last, head_bytes, size


def _unmask(data: bytes | bytearray, begin: int, end: int) -> bytes:
    """The key stands in the four bytes before `begin`."""
    size = end - begin
    key = (bytes(data[begin - 4 : begin]) * (size // 4 + 1))[:size]
    return (int.from_bytes(data[begin:end]) ^ int.from_bytes(key)).to_bytes(size)


def server_frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame as a server sends it, unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((_FIN | opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", _FIN | opcode, 126, size) + payload
    return struct.pack("!BBQ", _FIN | opcode, 127, size) + payload


def close_frame(code: int) -> bytes:
    return server_frame(Kind.CLOSE, code.to_bytes(2))

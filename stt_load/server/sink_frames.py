"""A parser of a client's websocket bytes that reads text, and counts and skips audio, as cheaply as can be.

Only headers of binary frames are looked at; their payload is never unmasked, copied or kept. Framing: RFC 6455,
section 5.2. Bytes in, messages out; no socket, no clock.
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


class MessageKind(IntEnum):
    """The kind of a message that is not skipped; the values are the opcodes."""

    TEXT = 0x1
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


ClientMessage = tuple[MessageKind, bytes]
"""A whole text message or control frame, unmasked."""
_NOTHING: Sequence[ClientMessage] = ()


class InvalidFrame(Exception):
    """The client broke RFC 6455 or a limit. `close_code`: what the closing handshake says."""

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code


@dataclass(slots=True)
class FrameCounts:
    """How many binary frames were received whole, and the payload bytes of these and of those under way."""

    frames: int = 0
    payload_bytes: int = 0


class ClientFrames:
    """The parser of one client's bytes, however they are cut. It adds to `counts`, which clients may share."""

    __slots__ = ("_counts", "_left", "_rest", "_text")

    def __init__(self, counts: FrameCounts) -> None:
        self._counts = counts
        self._left = 0  # bytes of the binary frame under way
        self._rest = b""  # the beginning of a frame that isn't passed over
        self._text: bytes | None = None  # the fragments of a text message under way

    def feed(self, data: bytes | bytearray, n_bytes: int) -> Sequence[ClientMessage]:
        """Takes the first `n_bytes` of `data`, which follow all that was fed before. Raises InvalidFrame."""
        if self._rest:
            data, self._rest = self._rest + data[:n_bytes], b""
            n_bytes = len(data)
        at = self._left
        if at > n_bytes:
            self._left = at - n_bytes
            return _NOTHING
        counts = self._counts
        counts.frames += at > 0
        messages: list[ClientMessage] | None = None
        while at < n_bytes:
            # The fast path: binary, whole, masked, with a length of two bytes. Nearly all frames are.
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
                        messages = messages or []
                        messages.append(message)
                    at = end
                    continue
                at += head_bytes + size
            counts.payload_bytes += size
            if at <= n_bytes:
                counts.frames += 1
        self._left = max(0, at - n_bytes)
        if at < n_bytes:
            self._rest = bytes(data[at:n_bytes])
        return messages or _NOTHING

    def _on_readable(self, opcode: int, is_last: bool, payload: bytes) -> ClientMessage | None:
        """Takes a frame that is no audio; None where more of its message is to come."""
        if opcode not in (_TEXT, _CONTINUATION):
            return MessageKind(opcode), payload
        whole = (self._text or b"") + payload
        if len(whole) > LONGEST_TEXT_BYTES:
            raise InvalidFrame(1009, f"a text of more than {LONGEST_TEXT_BYTES} bytes")
        self._text = None if is_last else whole
        return (MessageKind.TEXT, whole) if is_last else None


def _header_of(data: bytes | bytearray, at: int, end: int) -> tuple[int, bool, int, int] | None:
    """(opcode, whether it ends its message, bytes of the header, bytes of the payload); None: not all of the header is
    here."""
    if end - at < 2:
        return None
    first, second = data[at], data[at + 1]
    opcode, is_last, size = first & 0x0F, bool(first & _FIN), second & 0x7F
    if first & _RESERVED:
        raise InvalidFrame(1002, "a reserved bit is set, and no extension was agreed on")
    if not second & _MASKED:
        raise InvalidFrame(1002, "a client must mask its frames")
    if opcode >= 0x8:
        if opcode > MessageKind.PONG or not is_last or size > _LONGEST_CONTROL_BYTES:
            raise InvalidFrame(1002, "no control frame of RFC 6455")
    elif opcode > _BINARY:
        raise InvalidFrame(1002, f"opcode {opcode} means nothing")
    head_bytes = {126: 8, 127: 14}.get(size, 6)
    if end - at < head_bytes:
        return None
    if size >= 126:
        (size,) = struct.unpack_from("!H" if size == 126 else "!Q", data, at + 2)
    if opcode == _TEXT and size > LONGEST_TEXT_BYTES:
        raise InvalidFrame(1009, f"a text of more than {LONGEST_TEXT_BYTES} bytes")
    return opcode, is_last, head_bytes, size


def _unmask(data: bytes | bytearray, begin: int, end: int) -> bytes:
    """Unmasks `data[begin:end]`. The key is the four bytes before `begin`."""
    size = end - begin
    key = (bytes(data[begin - 4 : begin]) * (size // 4 + 1))[:size]
    return (int.from_bytes(data[begin:end]) ^ int.from_bytes(key)).to_bytes(size)


def server_frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame as a server sends it, unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((_FIN | opcode, size)) + payload
    if size < 65_536:
        return struct.pack("!BBH", _FIN | opcode, 126, size) + payload
    return struct.pack("!BBQ", _FIN | opcode, 127, size) + payload


def close_frame(code: int) -> bytes:
    return server_frame(MessageKind.CLOSE, code.to_bytes(2))

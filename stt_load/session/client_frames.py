"""A websocket message of the client, made once, masked afresh each time it is sent (RFC 6455 section 5.3)."""

from __future__ import annotations

import functools
import struct

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which the library is not compiled
    from websockets.utils import apply_mask

from stt_load.dialects.events import Message
from stt_load.session.server_frames import BINARY, TEXT

_FIN, _MASKED = 0x80, 0x80
_ONE_BYTE_LENGTHS, _TWO_BYTE_LENGTHS = 126, 1 << 16


class ClientFrame:
    """One message in one frame, text or binary as it is given, or with an opcode of RFC 6455 section 11.8."""

    __slots__ = ("_header", "_payload", "opcode")

    def __init__(self, message: Message, opcode: int | None = None) -> None:
        self._payload = message.encode() if isinstance(message, str) else message
        self.opcode = opcode or (TEXT if isinstance(message, str) else BINARY)
        self._header = _header(self.opcode, len(self._payload))

    def masked_by(self, key: bytes) -> bytes:
        """The whole frame. `key`: four bytes that nobody could foresee."""
        return self._header + key + apply_mask(self._payload, key)

    @property
    def message(self) -> Message:
        """As it was given."""
        return self._payload.decode() if self.opcode == TEXT else self._payload


@functools.lru_cache(maxsize=64)
def client_frame(message: Message) -> ClientFrame:
    """For what is said in every utterance: a config, an end."""
    return ClientFrame(message)


def _header(opcode: int, n_bytes: int) -> bytes:
    """RFC 6455 section 5.2, up to the masking key."""
    if n_bytes < _ONE_BYTE_LENGTHS:
        return struct.pack("!BB", _FIN | opcode, _MASKED | n_bytes)
    if n_bytes < _TWO_BYTE_LENGTHS:
        return struct.pack("!BBH", _FIN | opcode, _MASKED | 126, n_bytes)
    return struct.pack("!BBQ", _FIN | opcode, _MASKED | 127, n_bytes)

"""Websocket frames that need no library (RFC 6455 section 5.2): what we send, and what a server sends nearly always.

    ClientFrame        a message in one frame: made once, masked afresh each time it is sent (section 5.3)
    read_fast_frame    a server's frame that came whole, unmasked, in one piece

A library's reading costs twenty times as much, and servers send a partial text every few frames of every caller.
Whatever is out of the ordinary in the least is left to the library: fragments, pings, extensions, masks, long messages,
halves of messages, close frames that say more than that all is well.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Mapping
from typing import NamedTuple

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which the library is not compiled
    from websockets.utils import apply_mask

from stt_load.carriers import AUDIO_MS, CONNECTION_NAME, FRAME_NUMBER, MESSAGE_NUMBER
from stt_load.dialects.events import Message

TEXT, BINARY, CLOSE = 0x1, 0x2, 0x8  # opcodes, section 11.8

_FIN, _MASKED = 0x80, 0x80
_ONE_BYTE_LENGTHS, _TWO_BYTE_LENGTHS = 126, 1 << 16
_SERVER_HEADERS = {_FIN | opcode: opcode for opcode in (TEXT, BINARY, CLOSE)}
_TWO_BYTE_LENGTH = 126
_NORMAL_CLOSURE = (1000).to_bytes(2)
_PLACEHOLDER = re.compile("|".join(map(re.escape, (CONNECTION_NAME, MESSAGE_NUMBER, FRAME_NUMBER, AUDIO_MS))))


class ClientFrame:
    """One message in one frame: text or binary as it is given, or with another opcode."""

    __slots__ = ("_header", "_payload", "opcode")

    def __init__(self, message: Message, opcode: int | None = None) -> None:
        self._payload = message.encode() if isinstance(message, str) else message
        self.opcode = opcode or (TEXT if isinstance(message, str) else BINARY)
        self._header = _client_header(self.opcode, len(self._payload))

    def masked_by(self, key: bytes) -> bytes:
        """The whole frame. `key`: four bytes that nobody could foresee."""
        return self._header + key + apply_mask(self._payload, key)

    @property
    def message(self) -> Message:
        """The message as it was given."""
        return self._payload.decode() if self.opcode == TEXT else self._payload


class CallFrame:
    """One text message in which each connection puts what it alone knows, as `carriers.CALL_WEBSOCKET` names it.
    `is_audio`: it is one of the frames that are counted."""

    __slots__ = ("_placeholders", "_template", "is_audio", "message")

    def __init__(self, message: str) -> None:
        self.message = message
        self.is_audio = FRAME_NUMBER in message
        self._placeholders = _PLACEHOLDER.findall(message)
        self._template = _PLACEHOLDER.sub("%b", message.replace("%", "%%")).encode()

    def numbered(self, values: Mapping[str, bytes]) -> ClientFrame:
        """The frame as one connection sends it. `values`: what stands for each placeholder."""
        return ClientFrame(self._template % tuple(map(values.__getitem__, self._placeholders)), TEXT)

    def text(self, values: Mapping[str, bytes]) -> str:
        """The same for people; what no value is known for stays as it is."""
        return _PLACEHOLDER.sub(lambda found: values.get(found[0], found[0].encode()).decode(), self.message)


@functools.lru_cache(maxsize=64)
def client_frame(message: Message) -> ClientFrame:
    """The frame of a message that every utterance sends again: a config, an end."""
    return ClientFrame(message)


class FastFrame(NamedTuple):
    """A server's frame. `end`: where the next one begins."""

    opcode: int
    payload: bytes
    end: int


def read_fast_frame(data: bytes, start: int) -> FastFrame | None:
    """The server's frame that begins at `start`; None where it takes a library to read it."""
    if len(data) < start + 4:
        return None
    opcode, length, payload_at = _SERVER_HEADERS.get(data[start]), data[start + 1], start + 2
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


def _client_header(opcode: int, n_bytes: int) -> bytes:
    """Everything in front of the masking key."""
    if n_bytes < _ONE_BYTE_LENGTHS:
        return struct.pack("!BB", _FIN | opcode, _MASKED | n_bytes)
    if n_bytes < _TWO_BYTE_LENGTHS:
        return struct.pack("!BBH", _FIN | opcode, _MASKED | 126, n_bytes)
    return struct.pack("!BBQ", _FIN | opcode, _MASKED | 127, n_bytes)

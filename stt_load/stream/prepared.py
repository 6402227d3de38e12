"""A websocket message of the client, made once, masked afresh each time it is sent.

RFC 6455 section 5.3 asks for a new masking key for every frame. Header, key and payload are laid out in 32-bit words so
that one exclusive-or over an array writes the masked payload and, over a word that is zero, the key itself:

    row     0    payload of the message, padded to whole words
    key  ⊕  k    k k k k …
    out     k    masked payload          behind a header that was written when the buffer was made
"""

from __future__ import annotations

import functools
import struct

import numpy as np
import numpy.typing as npt

from stt_load.dialects.events import Message
from stt_load.stream.plain_frame import BINARY, TEXT

_xor = np.bitwise_xor
Words = npt.NDArray[np.uint32]

_WORD_BYTES = 4
_FIN, _MASKED = 0x80, 0x80
_ONE_BYTE_LENGTHS, _TWO_BYTE_LENGTHS = 126, 1 << 16


class PreparedMessage:
    """One message in one frame, text or binary as it is given, or with an opcode of RFC 6455 section 11.8. `row`: a
    zero word and the payload, uint32, padded with zeros."""

    __slots__ = ("_n_bytes", "_out", "_row", "_view", "opcode")

    def __init__(self, message: Message, opcode: int | None = None) -> None:
        payload = message.encode() if isinstance(message, str) else message
        self.opcode = opcode or (TEXT if isinstance(message, str) else BINARY)
        self._n_bytes = len(payload)
        padding = -len(payload) % _WORD_BYTES
        self._row = np.frombuffer(bytes(_WORD_BYTES) + payload + bytes(padding), np.uint32)
        self._out, self._view = _buffer(self.opcode, self._n_bytes)

    def masked_by(self, key: np.uint32) -> memoryview:
        """The whole frame, in a buffer that all messages of this length share: use it before the next call."""
        _xor(self._row, key, self._out)
        return self._view

    @property
    def message(self) -> Message:
        """As it was given."""
        payload = self._row.tobytes()[_WORD_BYTES : _WORD_BYTES + self._n_bytes]
        return payload.decode() if self.opcode == TEXT else payload


@functools.lru_cache(maxsize=64)
def prepared(message: Message) -> PreparedMessage:
    """For what is said in every utterance: a config, an end."""
    return PreparedMessage(message)


@functools.cache
def _buffer(opcode: int, n_bytes: int) -> tuple[Words, memoryview]:
    """Where frames of this kind and length are masked: the words from the key on, and the frame's own bytes."""
    header = _header(opcode, n_bytes)
    in_front = -len(header) % _WORD_BYTES
    words: Words = np.zeros((in_front + len(header) + _WORD_BYTES + n_bytes + 3) // _WORD_BYTES, np.uint32)
    frame = words.data.cast("B")[in_front : in_front + len(header) + _WORD_BYTES + n_bytes]
    frame[: len(header)] = header
    return words[(in_front + len(header)) // _WORD_BYTES :], frame


def _header(opcode: int, n_bytes: int) -> bytes:
    """RFC 6455 section 5.2, up to the masking key."""
    if n_bytes < _ONE_BYTE_LENGTHS:
        return struct.pack("!BB", _FIN | opcode, _MASKED | n_bytes)
    if n_bytes < _TWO_BYTE_LENGTHS:
        return struct.pack("!BBH", _FIN | opcode, _MASKED | 126, n_bytes)
    return struct.pack("!BBQ", _FIN | opcode, _MASKED | 127, n_bytes)

"""HTTP/2 as a client of one stream needs it (RFC 9113): frames made and cut, header fields written.

Header fields are written as they are, without the compressor's table (RFC 7541 section 6.2.2): what is the same for
thousands of connections is made once, and no server's limit on that table matters. Those that may hold a secret say
that nobody on the way may put them into one (section 6.2.3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # section 3.4
STREAM = 1  # the first that a client opens, and here the only one
HEADER_BYTES = 9
MOST_PAYLOAD_BYTES = 16_384  # section 6.5.2: what every peer takes, and more than that nobody was allowed
DEFAULT_WINDOW = 65_535
HIGHEST_WINDOW = 2**31 - 1


class FrameType(IntEnum):
    """Section 6. What isn't listed is to be passed over (section 5.5)."""

    DATA = 0x0
    HEADERS = 0x1
    PRIORITY = 0x2
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9


class Flag:
    """Flags of frames, plain numbers: with members of an enum each `&` costs a microsecond."""

    ACK = 0x1  # of SETTINGS and PING
    END_STREAM = 0x1
    END_HEADERS = 0x4
    PADDED = 0x8
    PRIORITY = 0x20


class Setting(IntEnum):
    """Section 6.5.2: those that matter here."""

    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4


class ErrorCode(IntEnum):
    """Section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Frame(NamedTuple):
    """A frame of the server. `end`: where the next one begins."""

    type: int
    flags: int
    stream: int
    payload: bytes
    end: int


def make_frame(type_: FrameType, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    n_bytes = len(payload)
    return struct.pack("!BHBBI", n_bytes >> 16, n_bytes & 0xFFFF, type_, flags, stream) + payload


def make_settings(values: Iterable[tuple[Setting, int]]) -> bytes:
    return make_frame(FrameType.SETTINGS, b"".join(struct.pack("!HI", *pair) for pair in values))


def window_update(n_bytes: int, stream: int) -> bytes:
    """Says that the server may send `n_bytes` more."""
    return make_frame(FrameType.WINDOW_UPDATE, struct.pack("!I", n_bytes), stream=stream)


def make_headers(fields: Iterable[tuple[str, str]], secret: Iterable[tuple[str, str]] = ()) -> bytes:
    """The frame or frames that open the stream. `secret`: header fields behind the others, of which one may be."""
    block = b"".join(
        (*(_field(0x00, name, value) for name, value in fields), *(_field(0x10, name, value) for name, value in secret))
    )
    pieces = [block[at : at + MOST_PAYLOAD_BYTES] for at in range(0, len(block), MOST_PAYLOAD_BYTES)]
    types = [FrameType.HEADERS, *[FrameType.CONTINUATION] * (len(pieces) - 1)]
    ends = [*[0] * (len(pieces) - 1), Flag.END_HEADERS]
    return b"".join(map(make_frame, types, pieces, ends, [STREAM] * len(pieces)))


def read_frame(data: bytes, start: int) -> Frame | None:
    """The frame that begins at `start`; None where it isn't here whole. Check its length with `payload_length`."""
    if len(data) < start + HEADER_BYTES:
        return None
    end = start + HEADER_BYTES + payload_length(data, start)
    if end > len(data):
        return None
    stream = int.from_bytes(data[start + 5 : start + 9]) & 0x7FFF_FFFF
    return Frame(data[start + 3], data[start + 4], stream, data[start + HEADER_BYTES : end], end)


def payload_length(data: bytes, start: int) -> int:
    return data[start] << 16 | data[start + 1] << 8 | data[start + 2]


def in_pieces(data: bytes) -> Iterator[bytes]:
    """`data` as the DATA frames that hold it."""
    for at in range(0, len(data), MOST_PAYLOAD_BYTES):
        yield make_frame(FrameType.DATA, data[at : at + MOST_PAYLOAD_BYTES], stream=STREAM)


def _field(kind: int, name: str, value: str) -> bytes:
    return bytes([kind]) + _literal(name) + _literal(value)


def _literal(text: str) -> bytes:
    """A text as it is, behind its length (RFC 7541 sections 5.1 and 5.2)."""
    data = text.encode("latin-1", "replace")
    n_bytes, length = len(data), bytearray()
    if n_bytes < 0x7F:
        return bytes([n_bytes]) + data
    length.append(0x7F)
    rest = n_bytes - 0x7F
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes(length) + data

"""What websocket-client reads for us, in whatever pieces it comes."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_server import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame

from stt_load.errors import ConnectionLost, ProtocolError
from stt_load.net.websocket_client_adapter import FrameReader

MOST_BYTES = 1 << 20


class Incoming:
    """Bytes that come in pieces, between which nothing is here."""

    def __init__(self, pieces: Iterable[bytes], is_ended: bool = False) -> None:
        self._pieces = deque(pieces)
        self._is_ended = is_ended
        self._here = b""

    def recv(self, n_bytes: int) -> bytes:
        if not self._here:
            if self._is_ended and not self._pieces:
                return b""
            raise BlockingIOError
        data, self._here = self._here[:n_bytes], self._here[n_bytes:]
        return data

    def next_piece(self) -> bool:
        if not self._pieces:
            return False
        self._here += self._pieces.popleft()
        return True


def read_all(incoming: Incoming) -> list[tuple[int, bytes, bool]]:
    """(opcode, payload, whether it ends between messages) of everything that comes."""
    reader = FrameReader(incoming.recv, MOST_BYTES)
    found = []
    while incoming.next_piece():
        while True:
            try:
                message = reader.read()
                assert message is not None or not reader.is_between_messages
                if message is not None:
                    found.append((*message, reader.is_between_messages))
            except BlockingIOError:
                assert not reader.is_between_messages
                break
    return found


CONTROL = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
PARTS = st.lists(st.binary(max_size=300), min_size=1, max_size=4)
MESSAGES = st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), PARTS, st.none() | CONTROL), min_size=1, max_size=5)


@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 50), max_size=40))
def test_messages_in_fragments_and_pieces_are_read_whole_and_control_frames_between_them(
    messages: list[tuple[int, list[bytes], tuple[int, bytes] | None]], cuts: list[int]
) -> None:
    wire, expected = b"", []
    for opcode, parts, control in messages:
        for k, part in enumerate(parts):
            if k and control:
                wire += frame(*control)
                expected.append((*control, False))
            wire += frame(CONT if k else opcode, part, fin=k == len(parts) - 1)
        expected.append((opcode, b"".join(parts), True))
    pieces = []
    for n_bytes in cuts:
        pieces.append(wire[:n_bytes])
        wire = wire[n_bytes:]
    assert read_all(Incoming([*pieces, wire])) == expected


@pytest.mark.parametrize("n_bytes", [125, 126, 65_535, 65_536])
def test_every_kind_of_length_is_read(n_bytes: int) -> None:
    assert read_all(Incoming([frame(BINARY, bytes(n_bytes))])) == [(BINARY, bytes(n_bytes), True)]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        *(struct.pack("!H", code) + why for code in (1000, 4711, 1005, 1006, 1015, 2000, 0) for why in (b"", b"why")),
    ],
)
def test_a_close_frame_is_given_as_it_is_whatever_its_code(payload: bytes) -> None:
    assert read_all(Incoming([frame(CLOSE, payload)])) == [(CLOSE, payload, True)]


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (frame(TEXT, b"x", rsv=4), "rsv is not implemented, yet"),
        (frame(0x3, b"x"), "Invalid opcode 3"),
        (frame(CONT, b"x"), "Illegal frame"),
        (frame(TEXT, b"x", fin=False) + frame(BINARY, b"x"), "Illegal frame"),
        (frame(PING, b"x" * 126), "Ping message is too long"),
        (frame(PING, b"x", fin=False), "Invalid ping frame."),
        (frame(CLOSE, b"\x03"), "Invalid close frame."),
        (b"\x81\x85abcd" + b"hello", "it is masked, as no server's may be"),
        (b"\x81\xfe\x01\x00abcd" + bytes(256), "it is masked, as no server's may be"),
    ],
)
def test_a_breach_of_the_protocol_is_named(wire: bytes, why: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_all(Incoming([wire]))
    assert str(caught.value) == f"not a websocket frame: {why}"


@pytest.mark.parametrize("begun", [b"", frame(TEXT, b"half")[:4], frame(TEXT, b"half", fin=False)])
def test_the_end_of_the_stream_is_a_lost_connection_however_much_of_a_message_has_come(begun: bytes) -> None:
    reader = FrameReader(Incoming([begun], is_ended=True).recv, MOST_BYTES)
    with pytest.raises(BlockingIOError):
        reader.read()
    incoming = Incoming([begun], is_ended=True)
    incoming.next_piece()
    with pytest.raises(ConnectionLost) as caught:
        reader = FrameReader(incoming.recv, MOST_BYTES)
        while reader.read() is None:
            pass
    assert caught.value.close_code == 1006


def test_what_recv_raises_comes_through() -> None:
    def too_much(n_bytes: int) -> bytes:
        raise ProtocolError("a message of more than 1048576 bytes")

    with pytest.raises(ProtocolError, match="a message of more than"):
        FrameReader(too_much, MOST_BYTES).read()

"""Bytes in, what was messages out: in whatever pieces they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from stt_load.server.sink_frames import (
    LONGEST_TEXT_BYTES,
    ClientFrames,
    ClientMessage,
    FrameCounts,
    InvalidFrame,
    MessageKind,
    close_frame,
    server_frame,
)

FRAMES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([Opcode.TEXT, Opcode.PING, Opcode.PONG, Opcode.CLOSE]), st.binary(max_size=125)),
        st.tuples(st.just(Opcode.TEXT), st.binary(min_size=126, max_size=300)),
        st.tuples(st.just(Opcode.BINARY), st.binary(max_size=200)),
        st.tuples(st.just(Opcode.BINARY), st.sampled_from([bytes(3_200), bytes(65_535), bytes(65_536)])),
    ),
    max_size=8,
)


def wire(opcode: Opcode, payload: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=True)


def messages_of(pieces: list[bytes]) -> tuple[list[ClientMessage], FrameCounts]:
    counts = FrameCounts()
    frames = ClientFrames(counts)
    messages = [message for piece in pieces for message in frames.feed(bytearray(piece) + b"old bytes", len(piece))]
    return messages, counts


@given(FRAMES, st.lists(st.integers(min_value=1, max_value=7_000), max_size=40))
def test_pieces_make_no_difference(frames: list[tuple[Opcode, bytes]], sizes: list[int]) -> None:
    data, pieces = b"".join(wire(*frame) for frame in frames), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    messages, counts = messages_of([*pieces, data])
    binary = [payload for opcode, payload in frames if opcode is Opcode.BINARY]
    assert messages == [
        (MessageKind(int(opcode)), payload) for opcode, payload in frames if opcode is not Opcode.BINARY
    ]
    assert (counts.frames, counts.payload_bytes) == (len(binary), sum(map(len, binary)))


def test_a_frame_counts_when_its_last_byte_is_there() -> None:
    data = wire(Opcode.BINARY, bytes(3_200))
    counts = FrameCounts()
    frames = ClientFrames(counts)
    frames.feed(data, len(data) - 1)
    assert counts.frames == 0
    frames.feed(data[-1:], 1)
    assert counts.frames == 1


def test_a_text_in_fragments_is_put_together_around_a_ping() -> None:
    pieces = [wire(Opcode.TEXT, b"hello ", fin=False), wire(Opcode.PING, b"?"), wire(Opcode.CONT, b"world")]
    assert messages_of(pieces)[0] == [(MessageKind.PING, b"?"), (MessageKind.TEXT, b"hello world")]


def test_audio_in_fragments_is_passed_over() -> None:
    pieces = [wire(Opcode.BINARY, bytes(500), fin=False), wire(Opcode.CONT, bytes(70)), wire(Opcode.TEXT, b"end")]
    messages, counts = messages_of(pieces)
    assert messages == [(MessageKind.TEXT, b"end")]
    assert counts.payload_bytes == 570


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (Frame(Opcode.BINARY, b"plain").serialize(mask=False), 1002),
        (b"\xc2\x80", 1002),
        (b"\x83\x80", 1002),
        (b"\x8b\x80", 1002),
        (b"\x89\xfe", 1002),
        (b"\x09\x80", 1002),
        (wire(Opcode.TEXT, bytes(LONGEST_TEXT_BYTES + 1))[:14], 1009),
        (
            wire(Opcode.TEXT, bytes(LONGEST_TEXT_BYTES), fin=False) + wire(Opcode.CONT, b"x"),
            1009,
        ),
    ],
    ids=["unmasked", "reserved bit", "opcode 3", "opcode 11", "long ping", "ping in parts", "long", "long in parts"],
)
def test_what_no_client_may_send(data: bytes, code: int) -> None:
    with pytest.raises(InvalidFrame) as caught:
        messages_of([data])
    assert caught.value.close_code == code


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_what_a_server_sends_is_what_the_library_would(size: int) -> None:
    assert server_frame(MessageKind.TEXT, bytes(size)) == Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)


def test_a_close_carries_its_code() -> None:
    assert close_frame(1000) == Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)

"""Bytes in, what was heard out: in whatever pieces they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from stt_load.server.sink_frames import (
    LONGEST_TEXT_BYTES,
    BrokenFrame,
    ClientFrames,
    Heard,
    Kind,
    Tally,
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


def heard_of(pieces: list[bytes]) -> tuple[list[Heard], Tally]:
    tally = Tally()
    frames = ClientFrames(tally)
    heard = [message for piece in pieces for message in frames.feed(bytearray(piece) + b"old bytes", len(piece))]
    return heard, tally


@given(FRAMES, st.lists(st.integers(min_value=1, max_value=7_000), max_size=40))
def test_pieces_make_no_difference(frames: list[tuple[Opcode, bytes]], sizes: list[int]) -> None:
    data, pieces = b"".join(wire(*frame) for frame in frames), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    heard, tally = heard_of([*pieces, data])
    binary = [payload for opcode, payload in frames if opcode is Opcode.BINARY]
    assert heard == [(Kind(int(opcode)), payload) for opcode, payload in frames if opcode is not Opcode.BINARY]
    assert (tally.frames, tally.payload_bytes) == (len(binary), sum(map(len, binary)))


def test_a_frame_counts_when_its_last_byte_is_there() -> None:
    data = wire(Opcode.BINARY, bytes(3_200))
    tally = Tally()
    frames = ClientFrames(tally)
    frames.feed(data, len(data) - 1)
    assert tally.frames == 0
    frames.feed(data[-1:], 1)
    assert tally.frames == 1


def test_a_text_in_fragments_is_put_together_around_a_ping() -> None:
    pieces = [wire(Opcode.TEXT, b"hello ", fin=False), wire(Opcode.PING, b"?"), wire(Opcode.CONT, b"world")]
    assert heard_of(pieces)[0] == [(Kind.PING, b"?"), (Kind.TEXT, b"hello world")]


def test_audio_in_fragments_is_passed_over() -> None:
    pieces = [wire(Opcode.BINARY, bytes(500), fin=False), wire(Opcode.CONT, bytes(70)), wire(Opcode.TEXT, b"end")]
    heard, tally = heard_of(pieces)
    assert heard == [(Kind.TEXT, b"end")]
    assert tally.payload_bytes == 570


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
    with pytest.raises(BrokenFrame) as caught:
        heard_of([data])
    assert caught.value.close_code == code


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_what_a_server_sends_is_what_the_library_would(size: int) -> None:
    assert server_frame(Kind.TEXT, bytes(size)) == Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)


def test_a_close_carries_its_code() -> None:
    assert close_frame(1000) == Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)

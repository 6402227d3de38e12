"""Which frames of a server are read without a library, and that a library reads them the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_server import BINARY, CLOSE, CONT, PING, PONG, TEXT, close_frame, frame
from websockets.frames import Frame, Opcode

from stt_load.session.server_frames import FastFrame, read_fast_frame

MESSAGES = st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=300))


@given(before=st.binary(max_size=5), messages=st.lists(MESSAGES, min_size=1, max_size=4), after=st.binary(max_size=5))
def test_messages_in_a_row_are_read_as_they_were_written(
    before: bytes, messages: list[tuple[Opcode, bytes]], after: bytes
) -> None:
    data = before + b"".join(Frame(opcode, payload).serialize(mask=False) for opcode, payload in messages)
    read, at = [], len(before)
    while at < len(data):
        # Two bytes are no frame that could be read: an empty one at the very end is the library's.
        plain = read_fast_frame(data + after, at)
        if plain is None:
            assert len(data + after) - at < 4
            return
        read.append((Opcode(plain.opcode), plain.payload))
        at = plain.end
    assert (read, at) == (messages, len(data))


@pytest.mark.parametrize("n_bytes", [125, 126, 127, 65_535])
def test_both_ways_to_tell_a_length_are_understood(n_bytes: int) -> None:
    payload = bytes(k % 251 for k in range(n_bytes))
    data = frame(BINARY, payload)
    assert read_fast_frame(data, 0) == FastFrame(BINARY, payload, len(data))


@pytest.mark.parametrize("n_bytes", range(1, 12))
def test_a_part_of_a_frame_is_none(n_bytes: int) -> None:
    whole = frame(TEXT, b"12345678901")
    assert read_fast_frame(whole[:n_bytes], 0) is None


def test_a_close_that_says_that_all_is_well_is_plain() -> None:
    assert read_fast_frame(close_frame(1000), 0) == FastFrame(CLOSE, b"\x03\xe8", 4)


ODD = {
    "the first of several pieces": frame(TEXT, b"begun", fin=False),
    "the last of several pieces": frame(CONT, b"ended"),
    "a ping": frame(PING, b"are you there"),
    "a pong": frame(PONG, b"here"),
    "an extension": frame(TEXT, b"packed", rsv=4),
    "an unknown opcode": frame(0x3, b"nobody knows"),
    "a long message": frame(BINARY, bytes(65_536)),
    "a close for a reason": close_frame(1011, "out of memory"),
    "a close with words": close_frame(1000, "bye"),
    "a close with a code that must not be sent": close_frame(1005),
    "a close without a code": frame(CLOSE),
    "a mask": Frame(Opcode.TEXT, b"masked").serialize(mask=True),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_out_of_the_ordinary_is_left_to_the_library(name: str) -> None:
    assert read_fast_frame(ODD[name] + b"more", 0) is None

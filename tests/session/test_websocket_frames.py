"""Frames that we send, read by a library that had no part in writing them; frames of a server that are read without a
library, as a library reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_server import BINARY, CLOSE, CONT, PING, PONG, TEXT, close_frame, frame
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol

from stt_load.carriers import CONNECTION_NAME, FRAME_NUMBER
from stt_load.dialects.events import Message
from stt_load.session.websocket_frames import CallFrame, ClientFrame, FastFrame, read_fast_frame

KEY = b"\xa1\xb2\xc3\xd4"


def understood(*sent: bytes) -> list[tuple[Opcode, bytes]]:
    """What a server reads. It refuses a frame that is not masked."""
    server = Protocol(SERVER, max_size=None)
    for data in sent:
        server.receive_data(data)
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received()]


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 3, 4, 125, 126, 127, 3_200, 3_201, 65_535, 65_536, 65_539])
def test_a_frame_of_any_length_is_read_as_it_was_meant(n_bytes: int) -> None:
    payload = bytes(k % 251 for k in range(n_bytes))
    sent_frame = ClientFrame(payload)
    assert understood(sent_frame.masked_by(KEY)) == [(Opcode.BINARY, payload)]
    assert sent_frame.message == payload


@given(message=st.text() | st.binary(), keys=st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=3))
def test_every_message_is_read_back_under_every_key(message: Message, keys: list[bytes]) -> None:
    sent_frame = ClientFrame(message)
    payload = message.encode() if isinstance(message, str) else message
    opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    sent = [sent_frame.masked_by(key) for key in keys]
    assert understood(*sent) == [(opcode, payload)] * len(keys)
    assert sent_frame.message == message


def test_the_key_goes_before_the_payload_and_another_key_makes_another_frame() -> None:
    sent_frame = ClientFrame(bytes(200))
    first, second = (sent_frame.masked_by(key) for key in (b"\1\2\3\4", b"\5\6\7\x08"))
    assert first[4:8] == b"\1\2\3\4"
    assert first[8:12] == first[4:8]  # zeros under the mask are the mask
    assert first != second


# what a server sends ------------------------------------------------------------------------------------------------

MESSAGES = st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), st.binary(max_size=300))


@given(before=st.binary(max_size=5), messages=st.lists(MESSAGES, min_size=1, max_size=4), after=st.binary(max_size=5))
def test_messages_in_a_row_are_read_as_they_were_written(
    before: bytes, messages: list[tuple[Opcode, bytes]], after: bytes
) -> None:
    data = before + b"".join(Frame(opcode, payload).serialize(mask=False) for opcode, payload in messages)
    read, at = [], len(before)
    while at < len(data):
        # Two bytes are no frame that could be read: an empty one at the very end is the library's.
        read_frame = read_fast_frame(data + after, at)
        if read_frame is None:
            assert len(data + after) - at < 4
            return
        read.append((Opcode(read_frame.opcode), read_frame.payload))
        at = read_frame.end
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


def test_a_close_that_says_that_all_is_well_is_read() -> None:
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


def test_a_frame_of_a_call_is_shown_as_it_is_sent() -> None:
    frame_of_call = CallFrame(f'{{"id": "MZ{CONNECTION_NAME}", "chunk": "{FRAME_NUMBER}", "share": "100%"}}')
    values = {CONNECTION_NAME: b"0a1b", FRAME_NUMBER: b"7"}
    told = '{"id": "MZ0a1b", "chunk": "7", "share": "100%"}'
    assert frame_of_call.text(values) == frame_of_call.numbered(values).message == told
    assert frame_of_call.text({}) == frame_of_call.message

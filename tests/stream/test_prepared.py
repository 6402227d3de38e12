"""What goes over the wire, read by a library that had no part in writing it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol

from stt_load.dialects.events import Message
from stt_load.stream.prepared import PreparedMessage

KEY = np.uint32(0xA1B2C3D4)


def understood(*sent: bytes) -> list[tuple[Opcode, bytes]]:
    """As a server reads it: it refuses a frame that is not masked."""
    server = Protocol(SERVER, max_size=None)
    for data in sent:
        server.receive_data(data)
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received()]


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 3, 4, 125, 126, 127, 3_200, 3_201, 65_535, 65_536, 65_539])
def test_a_frame_of_any_length_is_read_as_it_was_meant(n_bytes: int) -> None:
    payload = bytes(k % 251 for k in range(n_bytes))
    prepared = PreparedMessage(payload)
    assert understood(bytes(prepared.masked_by(KEY))) == [(Opcode.BINARY, payload)]
    assert prepared.message == payload


@given(message=st.text() | st.binary(), keys=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3))
def test_every_message_is_read_back_under_every_key(message: Message, keys: list[int]) -> None:
    prepared = PreparedMessage(message)
    payload = message.encode() if isinstance(message, str) else message
    opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    sent = [bytes(prepared.masked_by(np.uint32(key))) for key in keys]
    assert understood(*sent) == [(opcode, payload)] * len(keys)
    assert prepared.message == message


def test_the_key_goes_before_the_payload_and_another_key_makes_another_frame() -> None:
    prepared = PreparedMessage(bytes(200))
    first, second = (bytes(prepared.masked_by(np.uint32(key))) for key in (0x01020304, 0x05060708))
    assert first[4:8] == np.uint32(0x01020304).tobytes()
    assert first[8:12] == first[4:8]  # zeros under the mask are the mask
    assert first != second


def test_messages_of_one_length_share_a_buffer_and_not_their_words() -> None:
    one, two = PreparedMessage(b"one!"), PreparedMessage(b"two!")
    frame = bytes(one.masked_by(KEY))
    two.masked_by(KEY)
    assert bytes(one.masked_by(KEY)) == frame
    assert understood(bytes(two.masked_by(KEY))) == [(Opcode.BINARY, b"two!")]

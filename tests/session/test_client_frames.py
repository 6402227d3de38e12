"""What goes over the wire, read by a library that had no part in writing it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol

from stt_load.dialects.events import Message
from stt_load.session.client_frames import ClientFrame

KEY = b"\xa1\xb2\xc3\xd4"


def understood(*sent: bytes) -> list[tuple[Opcode, bytes]]:
    """As a server reads it: it refuses a frame that is not masked."""
    server = Protocol(SERVER, max_size=None)
    for data in sent:
        server.receive_data(data)
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received()]


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 3, 4, 125, 126, 127, 3_200, 3_201, 65_535, 65_536, 65_539])
def test_a_frame_of_any_length_is_read_as_it_was_meant(n_bytes: int) -> None:
    payload = bytes(k % 251 for k in range(n_bytes))
    prepared = ClientFrame(payload)
    assert understood(prepared.masked_by(KEY)) == [(Opcode.BINARY, payload)]
    assert prepared.message == payload


@given(message=st.text() | st.binary(), keys=st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=3))
def test_every_message_is_read_back_under_every_key(message: Message, keys: list[bytes]) -> None:
    prepared = ClientFrame(message)
    payload = message.encode() if isinstance(message, str) else message
    opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    sent = [prepared.masked_by(key) for key in keys]
    assert understood(*sent) == [(opcode, payload)] * len(keys)
    assert prepared.message == message


def test_the_key_goes_before_the_payload_and_another_key_makes_another_frame() -> None:
    prepared = ClientFrame(bytes(200))
    first, second = (prepared.masked_by(key) for key in (b"\1\2\3\4", b"\5\6\7\x08"))
    assert first[4:8] == b"\1\2\3\4"
    assert first[8:12] == first[4:8]  # zeros under the mask are the mask
    assert first != second

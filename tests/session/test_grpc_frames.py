"""gRPC messages in HTTP/2 frames, held against `h2` and `hyperframe` as the other side."""

from __future__ import annotations

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from hyperframe.frame import DataFrame, Frame
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ProtocolError
from stt_load.net.grpc_call import HALF_CLOSE_FRAME
from stt_load.session.grpc_frames import GrpcFrame, MessageReader, grpc_frame
from stt_load.session.http2_frames import MOST_PAYLOAD_BYTES, PREFACE, make_headers, make_settings, read_frame

PREFIX_BYTES = 5


def data_frames(data: bytes) -> list[DataFrame]:
    frames = []
    while data:
        frame, n_bytes = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + n_bytes]))
        frames.append(frame)
        data = data[9 + n_bytes :]
    return frames


@pytest.mark.parametrize("n_bytes", [0, 3_200, MOST_PAYLOAD_BYTES - PREFIX_BYTES, MOST_PAYLOAD_BYTES, 100_000])
def test_a_message_is_cut_into_frames_that_every_server_takes_and_comes_back_whole(n_bytes: int) -> None:
    message = bytes(range(256)) * (n_bytes // 256) + bytes(n_bytes % 256)
    frame = GrpcFrame(message)
    frames = data_frames(frame.data)
    assert all(isinstance(each, DataFrame) and each.stream_id == 1 and not each.flags for each in frames)
    assert max(len(each.data) for each in frames) <= MOST_PAYLOAD_BYTES
    assert b"".join(each.data for each in frames) == frame.payload
    assert (frame.n_bytes, frame.message) == (n_bytes + PREFIX_BYTES, message)
    assert MessageReader(1 << 20).feed(frame.payload) == [message]


def test_a_message_that_every_call_sends_is_framed_once() -> None:
    assert grpc_frame(b"config") is grpc_frame(b"config")


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 20))
def test_messages_are_put_together_however_they_are_cut(messages: list[bytes], step: int) -> None:
    data, reader = b"".join(GrpcFrame(message).payload for message in messages), MessageReader(100)
    read = [message for at in range(0, len(data), step) for message in reader.feed(data[at : at + step])]
    assert read == messages
    assert reader.is_between_messages


def test_half_a_message_is_kept() -> None:
    reader = MessageReader(100)
    assert reader.feed(GrpcFrame(b"hello").payload[:7]) == []
    assert not reader.is_between_messages


@pytest.mark.parametrize(
    ("data", "what"), [(b"\x01\0\0\0\x01x", "compressed"), (b"\0\0\0\0\x65", "a message of 101 bytes, where 100")]
)
def test_what_nobody_asked_for_is_refused_before_it_is_waited_for(data: bytes, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        MessageReader(100).feed(data)


def test_the_head_of_a_call_is_read_by_another_implementation_however_long_it_is() -> None:
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), (":authority", "host:1"), ("te", "trailers")]
    secret = [("authorization", "Bearer " + "x" * 300), ("cookie-like", "y" * 40_000)]
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    server.max_inbound_frame_size = MOST_PAYLOAD_BYTES
    server.initiate_connection()
    sent = PREFACE + make_settings([]) + make_headers(fields, secret) + GrpcFrame(b"hello").data + HALF_CLOSE_FRAME
    events = server.receive_data(sent)
    (request,) = [event for event in events if isinstance(event, RequestReceived)]
    assert list(request.headers) == [*fields, *secret]
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == GrpcFrame(b"hello").payload
    assert any(isinstance(event, StreamEnded) for event in events)


def test_a_frame_is_read_when_it_is_here_whole() -> None:
    data = GrpcFrame(b"hello").data
    assert all(read_frame(data[:n], 0) is None for n in range(len(data)))
    frame = read_frame(b"xx" + data + b"more", 2)
    assert frame is not None
    assert (frame.stream, frame.payload, frame.end) == (1, GrpcFrame(b"hello").payload, 2 + len(data))

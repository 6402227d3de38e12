"""One gRPC call without a socket: what a server says in frames of `hyperframe` and `hpack`, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import PingAckReceived, SettingsAcknowledged, WindowUpdated
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from stt_load.dialects.base import Connect
from stt_load.errors import (
    CallEnded,
    FailureReported,
    HandshakeFailed,
    Outcome,
    ProtocolError,
    SttLoadError,
    UpgradeRefused,
)
from stt_load.net.grpc_call import GrpcCall
from stt_load.session.grpc_frames import GrpcFrame
from stt_load.session.grpc_status import GrpcStatus
from stt_load.session.outcomes import outcome_of_fault

URL = "grpc://localhost:50051/a.B/C"
SETTINGS = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 100_000}).serialize()
OK_HEAD = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]
FULL = [("grpc-status", "8"), ("grpc-message", "100%25 f%C3%BCll%0Aup %zz")]
HTML = ("content-type", "text/html")
HELLO = GrpcFrame(b"hello").payload


def head(fields: list[tuple[str, str]], *flags: str, encoder: Encoder | None = None, stream: int = 1) -> bytes:
    frame = HeadersFrame(stream, (encoder or Encoder()).encode(fields), flags=["END_HEADERS", *flags])
    return frame.serialize()


def data(payload: bytes, *flags: str, stream: int = 1, pad: int = 0) -> bytes:
    frame = DataFrame(stream, payload, flags=[*flags, *(["PADDED"] if pad else [])])
    frame.pad_length = pad
    return frame.serialize()


def with_(frame: Frame, **fields: Any) -> bytes:
    for name, value in fields.items():
        setattr(frame, name, value)
    return frame.serialize()


def goaway(last_stream: int, code: int = 0, said: bytes = b"") -> bytes:
    return with_(GoAwayFrame(0), last_stream_id=last_stream, error_code=code, additional_data=said)


def reset(code: int, stream: int = 1) -> bytes:
    return with_(RstStreamFrame(stream), error_code=code)


def more_room(n_bytes: int, stream: int = 1) -> bytes:
    return with_(WindowUpdateFrame(stream), window_increment=n_bytes)


def raw(type_: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3) + bytes([type_, flags]) + stream.to_bytes(4) + payload


def open_call() -> GrpcCall:
    call = GrpcCall(Connect(URL))
    call.feed(SETTINGS)
    call.outgoing = b""
    return call


def hear(*said: bytes, step: int | None = None) -> GrpcCall:
    """A call that is open and hears this, in pieces of `step` bytes."""
    call, whole = open_call(), b"".join(said)
    for at in range(0, len(whole), step or len(whole)):
        call.feed(whole[at : at + (step or len(whole))])
    return call


def test_another_implementation_takes_what_is_sent_and_its_wishes_are_met() -> None:
    """Settings are acknowledged, pings are answered, and what was read is granted again."""
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    server.initiate_connection()
    call = GrpcCall(Connect(URL, headers={"Authorization": "Bearer key"}))
    server.receive_data(call.outgoing)
    call.outgoing = b""
    call.feed(server.data_to_send())
    assert call.is_open
    events = server.receive_data(call.outgoing)
    assert any(isinstance(event, SettingsAcknowledged) for event in events)
    call.outgoing = b""
    server.ping(b"12345678")
    server.send_headers(1, OK_HEAD)
    message = bytes(1_000)
    for _ in range(60):
        server.send_data(1, GrpcFrame(message).payload)
    call.feed(server.data_to_send())
    events = server.receive_data(call.outgoing)
    assert any(isinstance(event, PingAckReceived) for event in events)
    granted = sum(event.delta for event in events if isinstance(event, WindowUpdated) and event.stream_id == 1)
    assert granted >= 32_767
    assert call.messages == [message] * 60
    server.send_headers(1, [("grpc-status", "0")], end_stream=True)
    call.feed(server.data_to_send())
    assert isinstance(call.ending, CallEnded)
    assert call.ending.status == GrpcStatus.OK


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_call_is_understood_however_its_bytes_are_cut(step: int) -> None:
    encoder = Encoder()
    block = encoder.encode([*OK_HEAD, ("x-long", "y" * 300)])
    said = (
        head([(":status", "103")], encoder=Encoder()),
        HeadersFrame(1, block[:5], flags=["PRIORITY"]).serialize(),
        ContinuationFrame(1, block[5:9]).serialize(),
        ContinuationFrame(1, block[9:], flags=["END_HEADERS"]).serialize(),
        data(HELLO[:3], pad=9),
        raw(0x42, b"an extension"),
        with_(PriorityFrame(1), depends_on=0, stream_weight=3, exclusive=False),
        data(HELLO[3:] + HELLO),
        data(b""),
        head([*OK, ("grpc-message", "all%20is well")], "END_STREAM", encoder=encoder),
    )
    call = hear(*said, step=step)
    assert call.messages == [b"hello", b"hello"]
    assert str(call.ending) == "the call was ended by the server with OK: all is well"


def test_what_comes_behind_the_end_is_not_looked_at() -> None:
    call = hear(head(OK_HEAD), head(OK, "END_STREAM"), b"\xff" * 40)
    assert isinstance(call.take_ending(5.0), CallEnded)
    call.feed(b"\xff" * 40)
    assert isinstance(call.ending, CallEnded)
    assert call.ending.at_s == 5.0


@pytest.mark.parametrize(
    ("said", "status", "text"),
    [
        (head([*OK_HEAD, ("grpc-status", "16")], "END_STREAM"), 16, "by the server with UNAUTHENTICATED"),
        (head([*OK_HEAD, ("grpc-status", "99")], "END_STREAM"), 2, "by the server with UNKNOWN"),
        (head([*OK_HEAD, ("grpc-status", "x")], "END_STREAM"), 2, "by the server with UNKNOWN"),
        (head(OK_HEAD, "END_STREAM"), 2, "by the server without a status"),
        (head([*OK_HEAD, *FULL], "END_STREAM"), 8, "with RESOURCE_EXHAUSTED: 100% füll up %zz"),
        (reset(7), 14, "reset by the server with REFUSED_STREAM, which is UNAVAILABLE"),
        (reset(8), 1, "with CANCEL, which is CANCELLED"),
        (reset(11), 8, "with ENHANCE_YOUR_CALM, which is RESOURCE_EXHAUSTED"),
        (reset(12), 7, "with INADEQUATE_SECURITY, which is PERMISSION_DENIED"),
        (reset(2), 13, "with INTERNAL_ERROR, which is INTERNAL"),
        (reset(999), 13, "with error 999, which is INTERNAL"),
        (goaway(0, 0, b"max_age"), 14, "the server did not take the call; the server said GOAWAY NO_ERROR: max_age"),
    ],
)
def test_however_the_server_ends_the_call_its_status_is_known(said: bytes, status: int, text: str) -> None:
    ending = hear(said).ending
    assert isinstance(ending, CallEnded)
    assert ending.status == status
    assert str(ending).endswith(text)


@pytest.mark.parametrize("ends", [reset(7), head([("grpc-status", "14")], "END_STREAM")])
@pytest.mark.parametrize(("said", "outcome"), [(HELLO, Outcome.DISCONNECTED), (b"", Outcome.REFUSED)])
def test_unavailable_is_full_only_to_a_caller_to_whom_nothing_was_said(
    ends: bytes, said: bytes, outcome: Outcome
) -> None:
    """A server that is stopped, or ends connections at an age, says so too."""
    ending = hear(head(OK_HEAD), data(said), ends).ending
    assert ending is not None
    assert outcome_of_fault(ending) is outcome


def test_a_call_that_was_taken_goes_on_behind_a_goaway() -> None:
    """Servers that are about to end say so twice, with a ping between."""
    ping = with_(PingFrame(0), opaque_data=b"drain?!!")
    call = hear(goaway(2**31 - 1), ping, head(OK_HEAD), data(HELLO), goaway(1), head(OK, "END_STREAM"))
    assert call.messages == [b"hello"]
    assert isinstance(call.ending, CallEnded)
    assert call.ending.status == GrpcStatus.OK
    assert call.goaway == "; the server said GOAWAY NO_ERROR"


@pytest.mark.parametrize(
    ("fields", "body", "kind", "text"),
    [
        ([(":status", "404"), HTML], b"<title>404 Not Found</title>", UpgradeRefused, "HTTP 404: 404 Not Found"),
        ([(":status", "503")], b"", UpgradeRefused, "HTTP 503"),
        ([(":status", "502")], b'{"detail": "no upstream"}', FailureReported, "HTTP 502: no upstream"),
        ([(":status", "200"), HTML], b"<p>hi", ProtocolError, "HTTP 200 with text/html, where gRPC answers with app"),
        ([(":status", "200")], b"", ProtocolError, "HTTP 200 with no content type"),
    ],
)
@pytest.mark.parametrize("is_cut", [False, True])
def test_an_answer_that_is_no_grpc_is_told_with_its_reason(
    fields: list[tuple[str, str]], body: bytes, kind: type[SttLoadError], text: str, is_cut: bool
) -> None:
    end = () if is_cut else ("END_STREAM",)
    call = hear(head(fields, *(() if body else end)), data(body, *end) if body else b"")
    assert call.stream_window < 0  # nothing more is sent to it
    fault = call.refusal if is_cut else call.ending
    assert isinstance(fault, kind)
    assert str(fault).startswith(text)
    assert (call.ending is None) == is_cut


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ((data(HELLO),), "DATA before the head"),
        ((head(OK_HEAD), data(HELLO, "END_STREAM")), "without trailers"),
        ((head(OK_HEAD), head(OK)), "a second head"),
        ((head(OK_HEAD), data(HELLO[:7]), head(OK, "END_STREAM")), "in the middle of a message"),
        ((head(OK_HEAD), data(b"\x01" + HELLO[1:])), "compressed"),
        ((head(OK_HEAD), data(b"\0\x7f\xff\xff\xff")), "a message of 2,147,483,647 bytes"),
        ((head([("content-type", "application/grpc")]),), "without a status"),
        ((head([(":status", "ok")]),), "without a status"),
        ((head([(":status", "103")], "END_STREAM"),), "ends with the interim status 103"),
        ((head(OK_HEAD, stream=3),), "stream 3, which nobody opened"),
        ((data(HELLO, stream=2),), "stream 2, which nobody opened"),
        ((raw(1, b"\xff\xff\xff", 0x4, 1),), "a header block that can't be read"),
        ((raw(1, b"\x88", 0, 1), data(HELLO)), "a header block without its end"),
        ((raw(9, b"\x88", 4, 1),), "CONTINUATION of no header block"),
        ((raw(1, b"\x00" * 16_000, 0, 1), *[raw(9, b"\x00" * 16_000, 0, 1)] * 5), "a header block of more than"),
        ((with_(PushPromiseFrame(1), promised_stream_id=2, data=b"\x88", flags={"END_HEADERS"}),), "PUSH_PROMISE"),
        ((raw(0, bytes(16_385), 0, 1),), "a frame of 16,385 bytes"),
        ((b"\xff\xff\xff",) * 4, "a frame of 16,777,215 bytes"),
        ((raw(0, b"\x09abc", 0x8, 1),), "DATA before the head"),
        ((head(OK_HEAD), raw(0, b"\x09abc", 0x8, 1)), "more padding than frame"),
        ((raw(3, b"\0\0", 0, 1),), "RST_STREAM of a wrong length"),
        ((raw(6, b"1234"),), "PING of a wrong length"),
        ((raw(7, b"1234"),), "GOAWAY of a wrong length"),
        ((raw(8, b"\0\0\0\0"),), "WINDOW_UPDATE by nothing"),
        ((more_room(2**31 - 1),), "a window beyond its limit"),
        ((more_room(2**31 - 1, stream=0),), "a window beyond its limit"),
        ((raw(4, b"12345"),), "SETTINGS of a wrong length"),
        ((raw(4, b"\0\x04\xff\xff\xff\xff"),), "a window of 4,294,967,295 bytes"),
    ],
)
def test_a_breach_of_the_protocol_is_blamed_on_the_server_in_one_line(said: tuple[bytes, ...], what: str) -> None:
    with pytest.raises(ProtocolError, match=what) as caught:
        hear(*said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"HTTP/1 \(HTTP/1.1 400 Bad Request\): gRPC mostly has"),
        (b"\x15\x03\x01\x00\x02\x02\x0a", "write grpcs:// instead of grpc://"),
        (b"220 mail.example ESMTP\r\n", "it begins with b'220 mail."),
        (raw(6, bytes(8)), "it begins with"),
        (raw(4, b"", 1), "it begins with"),
    ],
)
def test_what_is_no_http2_is_told_by_its_beginning(said: bytes, what: str) -> None:
    with pytest.raises(HandshakeFailed, match=what):
        GrpcCall(Connect(URL)).feed(said)


def test_a_server_that_takes_no_streams_takes_no_calls() -> None:
    settings = SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: 0}).serialize()
    with pytest.raises(CallEnded, match="MAX_CONCURRENT_STREAMS is 0"):
        GrpcCall(Connect(URL)).feed(settings)


@pytest.mark.parametrize(
    ("change", "stream", "connection"),
    [
        (lambda call: call.feed(more_room(10)), 100_010, 65_535),
        (lambda call: call.feed(more_room(10, stream=0)), 100_000, 65_545),
        (lambda call: call.feed(SettingsFrame(0, settings={4: 300}).serialize()), 300, 65_535),
        (lambda call: call.feed(SettingsFrame(0, settings={5: 20_000}).serialize()), 100_000, 65_535),
    ],
)
def test_windows_are_those_that_the_server_told(
    change: Callable[[GrpcCall], object], stream: int, connection: int
) -> None:
    call = open_call()
    change(call)
    assert (call.stream_window, call.connection_window) == (stream, connection)


def test_a_window_that_shrinks_below_what_was_sent_is_below_nothing() -> None:
    call = open_call()
    call.stream_window -= 50_000
    call.feed(SettingsFrame(0, settings={4: 1_000}).serialize())
    assert call.stream_window == -49_000

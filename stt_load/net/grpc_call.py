"""One gRPC call over an HTTP/2 connection of its own: what is sent and what arrives, without a socket.

    preface, SETTINGS ──▶
                      ◀── SETTINGS                 from here on it `is_open`: the server speaks HTTP/2
    HEADERS           ──▶                          the method, the key
    DATA …            ──▶ ◀── HEADERS, DATA …      in whatever order
    DATA, END_STREAM  ──▶ ◀── HEADERS, END_STREAM  the trailers, with the status: `ending`

Only what a client of one stream can meet is here. Header fields that arrive are read by `hpack`; the rest is a table of
frames.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from hpack import Decoder, HPACKError

from stt_load.dialects.base import Connect
from stt_load.errors import CallEnded, HandshakeFailed, ProtocolError, SttLoadError
from stt_load.net.sockets import MAX_MESSAGE_BYTES
from stt_load.session.grpc_frames import MessageReader
from stt_load.session.grpc_status import GrpcStatus, error_name, parse_status, status_of_reset
from stt_load.session.http2_frames import (
    DEFAULT_WINDOW,
    HEADER_BYTES,
    HIGHEST_WINDOW,
    MOST_PAYLOAD_BYTES,
    PREFACE,
    STREAM,
    ErrorCode,
    Flag,
    Frame,
    FrameType,
    Setting,
    make_frame,
    make_headers,
    make_settings,
    payload_length,
    read_frame,
    window_update,
)
from stt_load.session.http_answer import MAX_HEAD_BYTES
from stt_load.session.http_request import USER_AGENT, authority, path_and_query
from stt_load.session.http_status import REASON_BYTES, fault_of_status, one_line

HALF_CLOSE_FRAME = make_frame(FrameType.DATA, flags=Flag.END_STREAM, stream=STREAM)
GOODBYE_FRAME = make_frame(FrameType.GOAWAY, bytes(8))
CANCEL_FRAME = make_frame(FrameType.RST_STREAM, struct.pack("!I", ErrorCode.CANCEL), stream=STREAM)
_OPENING = PREFACE + make_settings([(Setting.ENABLE_PUSH, 0)])
_PING_ACK = make_frame(FrameType.PING, bytes(8), Flag.ACK)[:HEADER_BYTES]
_SETTINGS_ACK = make_frame(FrameType.SETTINGS, flags=Flag.ACK)
_GRANT_BYTES = DEFAULT_WINDOW // 2  # read so far, the server may send as much again
_HTTP_OK = 200
_CONTENT_TYPE = "application/grpc"


class _Refusal(NamedTuple):
    """An answer that is no gRPC, with what has come of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class GrpcCall:
    """One call and its connection. Hand it what arrives by `feed`, and send `outgoing`, which the sender empties.

    `is_open`: the server speaks HTTP/2, and the call is among what is sent. `messages`: what the server said and nobody
    took yet. `ending`: the fault by which the call is over once those are taken, CallEnded as a rule; None while it
    goes on. `connection_window`, `stream_window`: how many bytes of messages the server takes now; who sends some
    subtracts them.
    """

    __slots__ = (
        "_block",
        "_decoder",
        "_first_window",
        "_has_begun",
        "_has_said",
        "_is_answered",
        "_n_read",
        "_reader",
        "_refusal",
        "_rest",
        "_target",
        "connection_window",
        "ending",
        "goaway",
        "is_open",
        "messages",
        "outgoing",
        "stream_window",
    )

    def __init__(self, target: Connect) -> None:
        self.outgoing = _OPENING
        self.is_open = False
        self.messages: list[bytes] = []
        self.ending: SttLoadError | None = None
        self.connection_window = self.stream_window = DEFAULT_WINDOW
        self.goaway = ""  # what the server said by GOAWAY, as it is added to an error
        self._target = target
        self._rest = b""  # the beginning of a frame
        self._has_begun = False
        self._reader = MessageReader(MAX_MESSAGE_BYTES)
        self._decoder: Decoder | None = None  # only while there are headers to come
        self._block: tuple[int, bytes] | None = None  # flags of HEADERS, and what came of its header block
        self._is_answered = False  # the head of the answer is here
        self._has_said = False  # a message, which it says only to a caller that it has taken
        self._refusal: _Refusal | None = None
        self._first_window = DEFAULT_WINDOW
        self._n_read = 0  # bytes of messages since the server was last told that it may send more

    def feed(self, data: bytes) -> int:
        """Takes what arrived. Gives how many frames are whole with it, or messages where those are more. Raises
        HandshakeFailed before it is open, ProtocolError where the server breaks HTTP/2 or gRPC."""
        data, at, n_frames = self._rest + data if self._rest else data, 0, 0
        if not self._has_begun:
            self._check_beginning(data)
        while self.ending is None and len(data) - at >= HEADER_BYTES:
            if payload_length(data, at) > MOST_PAYLOAD_BYTES:
                raise ProtocolError(f"not HTTP/2: a frame of {payload_length(data, at):,} bytes, which nobody allowed")
            frame = read_frame(data, at)
            if frame is None:
                break
            at, n_frames = frame.end, n_frames + 1
            if self._block is not None and frame.type != FrameType.CONTINUATION:
                raise ProtocolError("not HTTP/2: a header block without its end")
            handle = _HANDLERS.get(frame.type)
            if handle is not None:
                handle(self, frame)
        self._rest = data[at:] if self.ending is None else b""
        return max(n_frames, len(self.messages))

    def take_ending(self, at_s: float) -> SttLoadError | None:
        """The fault by which the call is over, as of `at_s` when that arrived; None while it goes on."""
        if isinstance(self.ending, CallEnded) and self.ending.at_s is None:
            self.ending.at_s = at_s
        return self.ending

    @property
    def refusal(self) -> SttLoadError | None:
        """The fault of an answer that is no gRPC, with as much of its reason as has come; None where there is none."""
        if self._refusal is None:
            return None
        status, headers, body = self._refusal
        if status != _HTTP_OK:
            return fault_of_status(status, headers, body, self._target.url)
        kind = headers.get("content-type", "no content type")
        return ProtocolError(f"HTTP 200 with {one_line(kind)}, where gRPC answers with {_CONTENT_TYPE}")

    # opening ---------------------------------------------------------------------------------------------

    def _check_beginning(self, data: bytes) -> None:
        """Sees to it that the server's first frame is SETTINGS (RFC 9113 section 3.4)."""
        if data.startswith(b"HTTP/"[: len(data)]):
            line = one_line(data.partition(b"\r\n")[0].decode("latin-1"))
            raise HandshakeFailed(f"no HTTP/2 but HTTP/1 ({line}): gRPC mostly has a port of its own, 50051 of Riva")
        if data.startswith(b"\x15\x03"[: len(data)]):
            raise HandshakeFailed("no HTTP/2 but TLS: write grpcs:// instead of grpc://")
        if len(data) < HEADER_BYTES:
            return
        self._has_begun = True
        if data[3] != FrameType.SETTINGS or data[4] & Flag.ACK:
            raise HandshakeFailed(f"no HTTP/2: it begins with {data[:HEADER_BYTES]!r}; does gRPC listen there?")

    def _on_settings(self, frame: Frame) -> None:
        if frame.flags & Flag.ACK:
            return
        if len(frame.payload) % 6 or frame.stream:
            raise ProtocolError("not HTTP/2: SETTINGS of a wrong length or stream")
        values = dict(struct.iter_unpack("!HI", frame.payload))
        window = values.get(Setting.INITIAL_WINDOW_SIZE, self._first_window)
        if window > HIGHEST_WINDOW:
            raise ProtocolError(f"not HTTP/2: a window of {window:,} bytes")
        self.stream_window += window - self._first_window  # section 6.9.2: below 0, perhaps
        self._first_window = window
        self.outgoing += _SETTINGS_ACK
        if not self.is_open:
            if values.get(Setting.MAX_CONCURRENT_STREAMS) == 0:
                raise CallEnded("the server takes no calls: its MAX_CONCURRENT_STREAMS is 0", GrpcStatus.UNAVAILABLE)
            self.is_open = True
            self.outgoing += _request(self._target.url, tuple(self._target.headers.items()))

    # the answer ------------------------------------------------------------------------------------------

    def _on_headers(self, frame: Frame) -> None:
        _check_stream(frame)
        payload = _without_padding(frame)
        self._block = frame.flags, payload[5:] if frame.flags & Flag.PRIORITY else payload
        self._end_block(frame)

    def _on_continuation(self, frame: Frame) -> None:
        if self._block is None or frame.stream != STREAM:
            raise ProtocolError("not HTTP/2: CONTINUATION of no header block")
        flags, block = self._block
        self._block = flags, block + frame.payload
        self._end_block(frame)

    def _end_block(self, frame: Frame) -> None:
        """Reads the header block where `frame` is the last of it."""
        assert self._block is not None
        flags, block = self._block
        if len(block) > MAX_HEAD_BYTES:
            raise ProtocolError(f"a header block of more than {MAX_HEAD_BYTES:,} bytes")
        if not frame.flags & Flag.END_HEADERS:
            return
        self._block = None
        headers = self._decode(block)
        is_end = bool(flags & Flag.END_STREAM)
        if self._is_answered:
            self._on_trailers(headers, is_end)
        else:
            self._on_head(headers, is_end)

    def _decode(self, block: bytes) -> dict[str, str]:
        """Header fields by name; those with the same name are one list with commas."""
        if self._decoder is None:
            self._decoder = Decoder(max_header_list_size=MAX_HEAD_BYTES)
        headers: dict[str, str] = {}
        try:
            for raw_name, raw_value in self._decoder.decode(block, raw=True):
                name, value = bytes(raw_name).decode("latin-1"), bytes(raw_value).decode("latin-1")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        except HPACKError as error:
            raise ProtocolError(f"not HTTP/2: a header block that can't be read: {error}") from error
        return headers

    def _on_head(self, headers: Mapping[str, str], is_end: bool) -> None:
        try:
            status = int(headers.get(":status", ""))
        except ValueError:
            raise ProtocolError("not HTTP/2: an answer without a status") from None
        if status < _HTTP_OK:  # interim (RFC 9110 section 15.2), and never the end (RFC 9113 section 8.1)
            if is_end:
                raise ProtocolError(f"not HTTP/2: the call ends with the interim status {status}")
            return
        self._is_answered = True
        if status != _HTTP_OK or not headers.get("content-type", "").startswith(_CONTENT_TYPE):
            self._refusal = _Refusal(status, headers)
            self.stream_window = -1  # nothing more is sent to it
            self.ending = self.refusal if is_end else None
        elif is_end:
            self._end_with(headers)

    def _on_trailers(self, headers: Mapping[str, str], is_end: bool) -> None:
        if not is_end:
            raise ProtocolError("not gRPC: a second head of the answer")
        if self._refusal is not None:
            self.ending = self.refusal
        elif self._reader.is_between_messages:
            self._end_with(headers)
        else:
            raise ProtocolError("not gRPC: the call ends in the middle of a message")

    def _end_with(self, headers: Mapping[str, str]) -> None:
        """The call is over, with the status in its trailers."""
        status = parse_status(headers.get("grpc-status"))
        text = f"the call was ended by the server with {status.name}"
        if "grpc-status" not in headers:
            text = "the call was ended by the server without a status"
        message = one_line(unquote(headers.get("grpc-message", ""), errors="replace"))
        self.ending = CallEnded(f"{text}: {message}" if message else text, status, was_taken=self._has_said)
        self._decoder = None

    def _on_data(self, frame: Frame) -> None:
        _check_stream(frame)
        if not self._is_answered:
            raise ProtocolError("not gRPC: DATA before the head of the answer")
        payload = _without_padding(frame)
        if self._refusal is not None:
            self._refusal = self._refusal._replace(body=self._refusal.body + payload)
            if frame.flags & Flag.END_STREAM or len(self._refusal.body) >= REASON_BYTES:
                self.ending = self.refusal
        else:
            self.messages += self._reader.feed(payload)
            self._has_said = self._has_said or bool(self.messages)
            if frame.flags & Flag.END_STREAM:
                raise ProtocolError("not gRPC: the call was ended by the server without trailers")
        self._n_read += len(frame.payload)
        if self._n_read >= _GRANT_BYTES:
            self.outgoing += window_update(self._n_read, 0) + window_update(self._n_read, STREAM)
            self._n_read = 0

    def _on_reset(self, frame: Frame) -> None:
        _check_stream(frame)
        code = _number(frame, 4)
        status = status_of_reset(code)
        self.ending = self.refusal or CallEnded(
            f"the call was reset by the server with {error_name(code)}, which is {status.name}",
            status,
            was_taken=self._has_said,
        )

    # the connection --------------------------------------------------------------------------------------

    def _on_ping(self, frame: Frame) -> None:
        _number(frame, 8)
        if not frame.flags & Flag.ACK:
            self.outgoing += _PING_ACK + frame.payload

    def _on_goaway(self, frame: Frame) -> None:
        """The server takes no new calls. This one goes on where it was taken (section 6.8)."""
        if len(frame.payload) < 8:
            raise ProtocolError("not HTTP/2: GOAWAY of a wrong length")
        last_stream, code = struct.unpack_from("!II", frame.payload)
        said = one_line(frame.payload[8:].decode("utf-8", "replace"))
        self.goaway = f"; the server said GOAWAY {error_name(code)}" + (f": {said}" if said else "")
        if last_stream & HIGHEST_WINDOW < STREAM:
            self.ending = CallEnded(f"the server did not take the call{self.goaway}", GrpcStatus.UNAVAILABLE)

    def _on_window_update(self, frame: Frame) -> None:
        n_bytes = _number(frame, 4) & HIGHEST_WINDOW
        if n_bytes == 0:
            raise ProtocolError("not HTTP/2: WINDOW_UPDATE by nothing")
        if frame.stream == 0:
            self.connection_window += n_bytes
        elif frame.stream == STREAM and self._refusal is None:
            self.stream_window += n_bytes
        if self.connection_window > HIGHEST_WINDOW or self.stream_window > HIGHEST_WINDOW:
            raise ProtocolError("not HTTP/2: a window beyond its limit")

    def _on_push(self, frame: Frame) -> None:
        raise ProtocolError("not HTTP/2: PUSH_PROMISE, which was not allowed")


_HANDLERS: Mapping[int, Callable[[GrpcCall, Frame], None]] = {
    FrameType.DATA: GrpcCall._on_data,
    FrameType.HEADERS: GrpcCall._on_headers,
    FrameType.RST_STREAM: GrpcCall._on_reset,
    FrameType.SETTINGS: GrpcCall._on_settings,
    FrameType.PUSH_PROMISE: GrpcCall._on_push,
    FrameType.PING: GrpcCall._on_ping,
    FrameType.GOAWAY: GrpcCall._on_goaway,
    FrameType.WINDOW_UPDATE: GrpcCall._on_window_update,
    FrameType.CONTINUATION: GrpcCall._on_continuation,
}


def _check_stream(frame: Frame) -> None:
    if frame.stream != STREAM:
        raise ProtocolError(f"not HTTP/2: a frame of stream {frame.stream}, which nobody opened")


def _number(frame: Frame, n_bytes: int) -> int:
    """The payload of a frame that is one number of so many bytes."""
    if len(frame.payload) != n_bytes:
        raise ProtocolError(f"not HTTP/2: {FrameType(frame.type).name} of a wrong length")
    return int.from_bytes(frame.payload)


def _without_padding(frame: Frame) -> bytes:
    if not frame.flags & Flag.PADDED:
        return frame.payload
    n_padding = frame.payload[0] if frame.payload else 0
    if n_padding >= len(frame.payload):
        raise ProtocolError("not HTTP/2: more padding than frame")
    return frame.payload[1 : len(frame.payload) - n_padding]


@functools.lru_cache(maxsize=256)
def _request(url: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of the call: the same for thousands of callers."""
    own = {name.lower(): value for name, value in headers}
    scheme = "https" if urlsplit(url).scheme == "grpcs" else "http"
    usual = {"te": "trailers", "content-type": _CONTENT_TYPE, "user-agent": USER_AGENT}
    pseudo = [(":method", "POST"), (":scheme", scheme), (":path", path_and_query(url)), (":authority", authority(url))]
    return make_headers([*pseudo, *((name, value) for name, value in usual.items() if name not in own)], own.items())

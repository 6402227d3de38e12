"""websocket-client reads everything on a websocket that is out of the ordinary, behind one class.

What is used of the library, all of it exported by its `__init__` and public by name:

    frame_buffer(recv, skip_utf8_validation).recv_frame(), .recv_length(), .length, .has_mask(), .recv_strict(n_bytes)
        Reads one frame (RFC 6455 section 5.2) by calling `recv(n_bytes)`. Keeps what it has of a frame when `recv`
        raises, and goes on with it at the next call. Checks reserved bits, opcodes, and the code of a close frame.
        Loops for ever on a `recv` that gives nothing at the end of the stream, so ours raises there.
    continuous_frame(fire_cont_frame, skip_utf8_validation).validate, .add, .extract
        Joins fragments (section 5.4). Refuses a continuation of nothing, and a message within another.
    WebSocketProtocolException, WebSocketPayloadException
        What those two raise.

Its `WebSocket` class is not used: it wants a socket of its own, whose waits it decides about, and answers pings and
close frames inside a read. UTF-8 is not checked here: the library does it in pure Python, byte by byte, and the caller
decodes text strictly anyway.

Servers close with codes that section 7.4.1 doesn't allow in a frame (1006, 1015, one of their own below 3000) and say
why beside them. The library refuses such a frame after it has read it; here it is a close like any other, so that code
and reason reach the user.
"""

from __future__ import annotations

from collections.abc import Callable

import websocket

from stt_load.errors import ConnectionLost, ProtocolError

_ABNF = websocket.ABNF
PING, PONG = _ABNF.OPCODE_PING, _ABNF.OPCODE_PONG
_CONTROL = (_ABNF.OPCODE_CLOSE, PING, PONG)
_LONGEST_CONTROL_PAYLOAD = 125  # section 5.5
_CLOSE_CODE_BYTES = 2  # section 5.5.1


class FrameReader:
    """Reads the messages and control frames of one server. `recv(n_bytes)` gives at least one byte and at most that
    many, or nothing at the end of the stream; it raises BlockingIOError where nothing is here yet.

    `is_between_messages`: no part of a message or frame is kept here, so somebody else may read the next one. No frame
    is waited for that says to be longer than `most_bytes`.
    """

    __slots__ = ("_fragments", "_frames", "_is_in_fragments", "_recv", "is_between_messages")

    def __init__(self, recv: Callable[[int], bytes], most_bytes: int) -> None:
        self._recv = recv
        self._frames = _FrameBuffer(self._recv_or_raise, most_bytes)
        self._fragments = websocket.continuous_frame(fire_cont_frame=False, skip_utf8_validation=True)
        self._is_in_fragments = False
        self.is_between_messages = True

    def read(self) -> tuple[int, bytes] | None:
        """Reads the next frame. Gives opcode and payload of a message that is whole with it, or of a control frame,
        which may come amid fragments; None where more fragments are to come.

        Raises what `recv` does: after a BlockingIOError call it again when there is more, nothing is lost. Raises
        ProtocolError for what RFC 6455 doesn't allow, ConnectionLost at the end of the stream.
        """
        self.is_between_messages = False
        try:
            message = self._read_frame()
        except (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException) as error:
            if not self._frames.is_close_with_bad_code(error):
                raise ProtocolError(f"not a websocket frame: {error}") from error
            message = _ABNF.OPCODE_CLOSE, self._frames.payload
        self.is_between_messages = not self._is_in_fragments
        return message

    def _read_frame(self) -> tuple[int, bytes] | None:
        frame = self._frames.recv_frame()
        if frame.opcode in _CONTROL:
            if frame.opcode == PING and len(frame.data) > _LONGEST_CONTROL_PAYLOAD:
                raise ProtocolError("not a websocket frame: Ping message is too long")
            return frame.opcode, _payload(frame)
        self._fragments.validate(frame)
        self._fragments.add(frame)
        self._is_in_fragments = not frame.fin
        if self._is_in_fragments:
            return None
        opcode, message = self._fragments.extract(frame)
        return opcode, _payload(message)

    def _recv_or_raise(self, n_bytes: int) -> bytes:
        data = self._recv(n_bytes)
        if not data:
            raise ConnectionLost("connection lost: Connection to remote host was lost.")
        return data


class _FrameBuffer(websocket.frame_buffer):
    """A frame buffer that keeps the payload which it read last, for a frame that it refuses. It waits for no frame
    that is longer than `most_bytes`."""

    payload = b""

    def __init__(self, recv: Callable[[int], bytes], most_bytes: int) -> None:
        super().__init__(recv, skip_utf8_validation=True)
        self._most_bytes = most_bytes

    def recv_length(self) -> None:
        if self.has_mask():  # section 5.1: such a frame ends the connection; the library would unmask it
            raise ProtocolError("not a websocket frame: it is masked, as no server's may be")
        super().recv_length()
        if self.length is not None and self.length > self._most_bytes:
            raise ProtocolError(f"a frame of {self.length:,} bytes, where {self._most_bytes:,} are the most")

    def recv_strict(self, bufsize: int) -> bytes:
        self.payload = super().recv_strict(bufsize)
        return self.payload

    def is_close_with_bad_code(self, error: Exception) -> bool:
        """Whether `error` refuses a close frame for nothing but its code."""
        if len(self.payload) < _CLOSE_CODE_BYTES:
            return False
        return str(error) == f"Invalid close opcode {int.from_bytes(self.payload[:_CLOSE_CODE_BYTES])}"


def _payload(frame: websocket.ABNF) -> bytes:
    assert isinstance(frame.data, bytes)  # a str only of a frame that is made to be sent
    return frame.data

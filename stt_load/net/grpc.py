"""A gRPC call behind the transport contract.

session/grpc_frames.py  what we send: made once for all callers
net/grpc_call.py        what is sent and what arrives, without a socket
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any

from stt_load.dialects.base import Connect
from stt_load.dialects.events import HALF_CLOSE, Message
from stt_load.errors import ConnectionLost, HandshakeFailed, SttLoadError, TransportError
from stt_load.net.grpc_call import CANCEL_FRAME, GOODBYE_FRAME, HALF_CLOSE_FRAME, GrpcCall
from stt_load.net.own_faults import fault_of, loss_of
from stt_load.net.socket_transport import SocketTransport
from stt_load.net.sockets import NonBlockingSocket
from stt_load.net.tcp import MakeSocket
from stt_load.net.transport import Arrival, Need
from stt_load.session.grpc_frames import GrpcFrame, grpc_frame
from stt_load.session.http2_frames import MOST_PAYLOAD_BYTES, STREAM, FrameType, make_frame
from stt_load.session.http_request import tls_hint
from stt_load.session.http_status import REASON_TIMEOUT_S

_H2 = "h2"  # in ALPN (RFC 9113 section 3.2)
_READ_BYTES = 4_096  # fed at a time: a server that floods fills them with some hundred frames
_READS_AT_ONCE = 16  # that `receive` makes for one message: frames before it that hold none


class GrpcTransport(SocketTransport):
    """One call over a connection of its own."""

    __slots__ = ("_call", "_held", "_refused_at_s", "_url")

    _alpn = (_H2,)
    is_refused = False  # a server that speaks HTTP/2 takes the connection; it may refuse the call

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        super().__init__(checks_certificate, make_socket)
        self._url = ""
        self._call: GrpcCall | None = None
        self._held = bytearray()  # of messages that the server's windows don't let out yet
        self._refused_at_s: float | None = None  # the answer began, and it is no gRPC

    def dial(self, target: Connect) -> None:
        self._url = target.url
        self._begin_connect(target.url)
        self._call = GrpcCall(target)

    def advance(self) -> Need | None:
        need = self._advance_connect()
        if need is not None:
            return need
        opening, call = self._opened()
        try:
            return self._advance_call(opening, call)
        except OSError as error:
            raise fault_of(error, "no HTTP/2", self._not_open(str(error))) from error

    def _advance_connect(self) -> Need | None:
        connect = self._connect
        need = super()._advance_connect()
        if connect is not None and need is None:
            _check_alpn(connect.socket)
        return need

    def _advance_call(self, opening: NonBlockingSocket, call: GrpcCall) -> Need | None:
        if call.outgoing:
            is_sent = self._write_outgoing(opening, call)
            return Need.READABLE if is_sent else Need.WRITABLE  # no answer is here yet
        if not opening.flush():
            return Need.WRITABLE
        while opening.has_data():
            data = opening.recv(_READ_BYTES)
            if not data:
                raise self._not_open("it was closed by the server")
            self._feed(opening, call, data)
            if call.is_open:
                return None
        return Need.READABLE

    def _not_open(self, how: str) -> HandshakeFailed:
        return HandshakeFailed(f"no HTTP/2: the connection ended: {how}{tls_hint(self._url)}")

    @property
    def open_timeout(self) -> TransportError:
        return self._timeout_of("no HTTP/2 SETTINGS of the server")

    def send(self, message: Message) -> bool:
        if isinstance(message, bytes):
            return self.send_frame((grpc_frame(message),))
        assert message == HALF_CLOSE, "gRPC has no text messages"
        assert not self._held, "the half-close comes behind the audio"
        connection, call = self._opened()
        self._check_reason(call, is_over=True)
        try:
            return connection.write(HALF_CLOSE_FRAME)
        except OSError as error:
            raise self._lost(error, "connection lost while sending") from error

    def send_frame(self, frame: Sequence[GrpcFrame]) -> bool:
        call, connection = self._call, self._socket
        if call is None or connection is None:
            raise ConnectionLost("not connected")
        is_sent = True
        try:
            for message in frame:
                n_bytes = message.n_bytes
                if n_bytes > call.stream_window or n_bytes > call.connection_window or self._held:
                    self._held += message.payload
                    is_sent = self._send_held(connection, call)
                else:
                    call.stream_window -= n_bytes
                    call.connection_window -= n_bytes
                    is_sent = connection.write(message.data)
        except OSError as error:
            raise self._lost(error, "connection lost while sending") from error
        return is_sent

    def flush(self) -> bool:
        connection, call = self._opened()
        try:
            return self._send_held(connection, call)
        except OSError as error:
            raise self._lost(error, "connection lost while sending") from error

    @property
    def is_held_by_peer(self) -> bool:
        return bool(self._held) and (self._socket is None or self._socket.is_flushed)

    def _send_held(self, connection: NonBlockingSocket, call: GrpcCall) -> bool:
        """Sends as much of what was held as the windows let out."""
        if self._refused_at_s is not None:
            self._held.clear()
            self._check_reason(call, time.monotonic() - self._refused_at_s > REASON_TIMEOUT_S)
            return True
        while self._held and (n_bytes := min(call.stream_window, call.connection_window, MOST_PAYLOAD_BYTES)) > 0:
            piece = bytes(self._held[:n_bytes])
            del self._held[:n_bytes]
            call.stream_window -= len(piece)
            call.connection_window -= len(piece)
            connection.write(make_frame(FrameType.DATA, piece, stream=STREAM))
        return connection.flush() and not self._held

    def _check_reason(self, call: GrpcCall, is_over: bool) -> None:
        """A server that has answered without gRPC is told nothing more, and its reason is waited for. Raises the
        refusal where that is over."""
        if is_over and call.refusal is not None:
            raise call.refusal

    def receive(self) -> Arrival | None:
        connection, call = self._opened()
        self.has_more = False
        try:
            for _ in range(_READS_AT_ONCE):
                if call.messages:
                    return Arrival(connection.arrived_s, call.messages.pop(0), connection.stamp, connection.late_s)
                ending = call.take_ending(connection.arrived_s)
                if ending is not None:
                    raise ending
                if not connection.has_data():
                    return None
                data = connection.recv(_READ_BYTES)
                if not data:
                    raise ConnectionLost(f"connection lost: it was closed by the server{call.goaway}")
                self._feed(connection, call, data)
        except OSError as error:
            raise self._lost(error, "connection lost") from error
        self.has_more = True
        return None

    def _feed(self, connection: NonBlockingSocket, call: GrpcCall, data: bytes) -> None:
        """Takes what arrived, and sends what that asks for: acknowledgements, more room."""
        connection.begin_message()
        for _ in range(call.feed(data)):
            connection.flood_limit.take_message()
        if self._refused_at_s is None and call.refusal is not None:
            self._refused_at_s = time.monotonic()
        if call.outgoing:
            with contextlib.suppress(OSError):  # what the server has said before it left is still to be read
                self._write_outgoing(connection, call)

    def _write_outgoing(self, connection: NonBlockingSocket, call: GrpcCall) -> bool:
        data, call.outgoing = call.outgoing, b""
        return connection.write(data)

    def _lost(self, error: OSError, text: str) -> SttLoadError:
        said = self._call.goaway if self._call is not None else ""
        return loss_of(error, text, said)

    def close(self) -> None:
        if self._socket is not None and self._call is not None and self._call.is_open:
            with contextlib.suppress(OSError):
                self._socket.write_last(GOODBYE_FRAME if self._call.ending else CANCEL_FRAME + GOODBYE_FRAME)
        super().close()
        self._call = self._refused_at_s = None
        self._held.clear()

    def _opened(self) -> tuple[NonBlockingSocket, GrpcCall]:
        if self._socket is None or self._call is None:
            raise ConnectionLost("not connected")
        return self._socket, self._call


def _check_alpn(connected: Any) -> None:
    if isinstance(connected, ssl.SSLSocket) and connected.selected_alpn_protocol() != _H2:
        raise HandshakeFailed("no HTTP/2: the server's TLS doesn't offer it (ALPN h2): does gRPC listen at this port?")

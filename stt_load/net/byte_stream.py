"""A bare TCP or TLS connection behind the transport contract: the dialect says where each message ends."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from stt_load.dialects.base import Connect, MessageLength
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError, StreamEnded, TransportError
from stt_load.net.own_faults import loss_of
from stt_load.net.sockets import MAX_MESSAGE_BYTES, NonBlockingSocket
from stt_load.net.tcp import MakeSocket, TcpConnect
from stt_load.net.transport import Arrival, Need
from stt_load.session.prepared_message import PlainMessage

_CLOSED_BY_PEER = "closed by the server"


class ByteStreamTransport:
    """One connection. `checks_certificate` False takes any certificate of a server with TLS, as a self-signed one.

    What arrives is cut into messages by the `message_length` of the dialect's `Connect`. A message has arrived when its
    last byte has.
    """

    __slots__ = (
        "_begun",
        "_checks_certificate",
        "_connect",
        "_make_socket",
        "_message_length",
        "_socket",
        "has_more",
    )

    is_refused = False  # nobody refuses a connection in words before it is open
    is_held_by_peer = False  # TCP alone holds it up

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        self._checks_certificate = checks_certificate
        self._make_socket = make_socket
        self._message_length: MessageLength | None = None
        self._connect: TcpConnect | None = None
        self._socket: NonBlockingSocket | None = None
        self._begun = b""  # a message whose end is still to come
        self.has_more = False

    def dial(self, target: Connect) -> None:
        assert target.message_length is not None, "a dialect over TCP says where its messages end"
        self._message_length, self._begun = target.message_length, b""
        self._connect = TcpConnect(target.url, self._checks_certificate, self._make_socket)

    def advance(self) -> Need | None:
        assert self._connect is not None
        need = self._connect.advance()
        if need is None:
            self._socket, self._connect = NonBlockingSocket(self._connect.socket), None
        return need

    @property
    def open_timeout(self) -> TransportError:
        missing_step = self._connect.missing_step if self._connect else "no connection"
        return DeadlineExceeded(f"{missing_step} in time")

    def send(self, message: Message) -> bool:
        return self.send_frame((PlainMessage(message),))

    def send_frame(self, frame: Sequence[PlainMessage]) -> bool:
        is_sent, write = True, self._open_socket().write
        try:
            for message in frame:
                is_sent = write(message.data)
        except OSError as error:
            raise loss_of(error, "connection lost while sending") from error
        return is_sent

    def flush(self) -> bool:
        try:
            return self._open_socket().flush()
        except OSError as error:
            raise loss_of(error, "connection lost while sending") from error

    def receive(self) -> Arrival | None:
        incoming = self._open_socket()
        self.has_more = False
        try:
            while True:
                message = self._take_message(incoming)
                if message is not None:
                    incoming.flood_limit.take_message()
                    return Arrival(incoming.arrived_s, message, incoming.stamp, incoming.late_s)
                if not incoming.has_data():
                    return None
                data = incoming.read_buffered()
                if not data:
                    if self._begun:
                        raise ConnectionLost(f"{_CLOSED_BY_PEER} within a message")
                    raise StreamEnded(_CLOSED_BY_PEER)
                self._begun += data
        except OSError as error:
            raise loss_of(error, "connection lost") from error

    def _take_message(self, incoming: NonBlockingSocket) -> bytes | None:
        """The first message of what was read; None where its end is still to come."""
        begun = self._begun
        if not begun:
            return None
        assert self._message_length is not None
        n_bytes = self._message_length(begun)
        if n_bytes is not None and n_bytes <= len(begun):
            self._begun = begun[n_bytes:]
            return begun[:n_bytes]
        if max(n_bytes or 0, len(begun)) > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a message of more than {MAX_MESSAGE_BYTES:,} bytes")
        return None

    def fileno(self) -> int:
        return self._open_socket().fileno() if self._connect is None else self._connect.fileno()

    def close(self) -> None:
        opened = self._connect or self._socket
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()
        self._connect = self._socket = None
        self._begun = b""

    def _open_socket(self) -> NonBlockingSocket:
        if self._socket is None:
            raise ConnectionLost("not connected")
        return self._socket

"""A bare TCP or TLS connection behind the transport contract: the dialect says where each message ends."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from stt_load.dialects.base import Connect, MessageLength
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, ProtocolError, StreamEnded, TransportError
from stt_load.net.own_faults import loss_of
from stt_load.net.socket_transport import SocketTransport
from stt_load.net.sockets import MAX_MESSAGE_BYTES, NonBlockingSocket
from stt_load.net.tcp import MakeSocket
from stt_load.net.transport import Arrival, Need
from stt_load.session.prepared_message import PlainMessage

_CLOSED_BY_PEER = "closed by the server"


class ByteStreamTransport(SocketTransport):
    """One connection.

    What arrives is cut into messages by the `message_length` of the dialect's `Connect`. A message has arrived when its
    last byte has.
    """

    __slots__ = ("_begun", "_message_length")

    is_refused = False  # nobody refuses a connection in words before it is open
    is_held_by_peer = False  # TCP alone holds it up

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        super().__init__(checks_certificate, make_socket)
        self._message_length: MessageLength | None = None
        self._begun = b""  # a message whose end is still to come

    def dial(self, target: Connect) -> None:
        assert target.message_length is not None, "a dialect over TCP says where its messages end"
        self._message_length, self._begun = target.message_length, b""
        self._begin_connect(target.url)

    def advance(self) -> Need | None:
        return self._advance_connect()

    @property
    def open_timeout(self) -> TransportError:
        return self._timeout_of("no connection")

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

    def close(self) -> None:
        super().close()
        self._begun = b""

"""A websocket behind the transport contract.

upgrade.py                   asks for it
session/websocket_frames.py  what we send: made once, masked each time; what arrives, nearly always
websocket_client_adapter.py  what arrives otherwise: fragments, halves, pings, breaches of the protocol
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Sequence

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, ProtocolError, TransportError
from stt_load.net.own_faults import fault_of, loss_of
from stt_load.net.random_keys import random_keys
from stt_load.net.socket_transport import SocketTransport
from stt_load.net.sockets import MAX_MESSAGE_BYTES, NonBlockingSocket
from stt_load.net.tcp import MakeSocket
from stt_load.net.transport import Arrival, Need
from stt_load.net.upgrade import Upgrade
from stt_load.net.websocket_client_adapter import PING, PONG, FrameReader
from stt_load.session.websocket_frames import BINARY, CLOSE, TEXT, ClientFrame, client_frame

_FRAMES_AT_ONCE = 64  # that `receive` reads for one message: pings, pongs and fragments before it
_NORMAL_CLOSURE, _NO_STATUS = 1000, 1005  # RFC 6455 section 7.4.1; the latter: a close frame without a code

_masking_keys = random_keys(4)  # RFC 6455 section 5.3

_CLOSE_FRAME = ClientFrame(struct.pack("!H", _NORMAL_CLOSURE), CLOSE)


class WebSocketTransport(SocketTransport):
    """One websocket connection."""

    __slots__ = ("_owes_close_frame", "_reader", "_upgrade")

    is_held_by_peer = False  # TCP alone holds it up

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        super().__init__(checks_certificate, make_socket)
        self._upgrade: Upgrade | None = None
        self._reader: FrameReader | None = None  # only of a connection that has needed one
        self._owes_close_frame = False  # the websocket is open, and no close frame was sent

    def dial(self, target: Connect) -> None:
        self._begin_connect(target.url)
        self._upgrade = Upgrade(target)

    def advance(self) -> Need | None:
        assert self._upgrade is not None
        need = self._advance_connect()
        if need is not None:
            return need
        try:
            return self._advance_upgrade(self._open_socket(), self._upgrade)
        except OSError as error:
            raise fault_of(error, "the upgrade", self._upgrade.ended(str(error))) from error

    def _advance_upgrade(self, opening: NonBlockingSocket, upgrade: Upgrade) -> Need | None:
        if upgrade.request:
            request, upgrade.request = upgrade.request, b""
            return Need.READABLE if opening.write(request) else Need.WRITABLE  # no answer is here yet
        if not opening.flush():
            return Need.WRITABLE
        while opening.has_data():
            opening.flood_limit.take_message()
            rest = upgrade.feed(opening.read_buffered())
            if rest is not None:
                opening.unread(rest)
                self._owes_close_frame, self._upgrade = True, None
                return None
        return Need.READABLE

    @property
    def is_refused(self) -> bool:
        return self._upgrade is not None and self._upgrade.is_refused

    @property
    def open_timeout(self) -> TransportError:
        if self._upgrade is not None and self._upgrade.refusal is not None:
            return self._upgrade.refusal  # the rest of its reason is missing
        return self._timeout_of("no answer to the websocket upgrade")

    def send(self, message: Message) -> bool:
        return self.send_frame((client_frame(message),))

    def send_frame(self, frame: Sequence[ClientFrame]) -> bool:
        if self._socket is None:
            raise ConnectionLost("not connected")
        is_sent, write = True, self._socket.write
        try:
            for message in frame:
                is_sent = write(message.masked_by(next(_masking_keys)))
        except OSError as error:
            raise loss_of(error, "connection lost while sending") from error
        return is_sent

    def receive(self) -> Arrival | None:
        incoming = self._open_socket()
        self.has_more = False
        try:
            for _ in range(_FRAMES_AT_ONCE):
                if not incoming.has_data():
                    return None
                incoming.flood_limit.take_message()
                is_fast = self._reader is None or self._reader.is_between_messages
                fast_frame = incoming.read_frame() if is_fast else None
                message = fast_frame[:2] if fast_frame else self._read_with_library(incoming)
                if message is None:
                    continue
                opcode, payload = message
                if opcode == CLOSE:  # `close` answers it
                    raise _closed_by_peer(payload, incoming.arrived_s)
                if opcode in (TEXT, BINARY):
                    return Arrival(incoming.arrived_s, _decode(opcode, payload), incoming.stamp, incoming.late_s)
                if opcode == PING:
                    self._send_unasked(ClientFrame(payload, PONG))
        except BlockingIOError:
            return None  # the rest of it is still to come
        except OSError as error:
            raise loss_of(error, "connection lost") from error
        self.has_more = True
        return None

    def _read_with_library(self, incoming: NonBlockingSocket) -> tuple[int, bytes] | None:
        """Opcode and payload of a message, a ping, a pong or a close frame; None of a message whose last fragment is
        still to come."""
        if self._reader is None:
            self._reader = FrameReader(incoming.recv, MAX_MESSAGE_BYTES)
        message = self._reader.read()
        if message is not None:
            incoming.begin_message()
        return message

    def _send_unasked(self, frame: ClientFrame) -> None:
        """Sends what no session asked for: the answer to a ping, the courtesy of a close frame. Where sending fails,
        what the server has said before it left is still to be read, and reading tells that it has left."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.write(frame.masked_by(next(_masking_keys)))

    def close(self) -> None:
        if self._socket is not None and self._owes_close_frame:
            with contextlib.suppress(OSError):
                self._socket.write_last(_CLOSE_FRAME.masked_by(next(_masking_keys)))
        super().close()
        self._owes_close_frame = False
        self._upgrade = self._reader = None


def _closed_by_peer(payload: bytes, at_s: float) -> ConnectionLost:
    code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else _NO_STATUS
    reason = payload[2:].decode("utf-8", "replace")
    return ConnectionLost(f"closed by the server with {code}" + (f": {reason}" if reason else ""), code, reason, at_s)


def _decode(opcode: int, data: bytes) -> Message:
    if opcode == BINARY:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a text message that is no UTF-8") from error

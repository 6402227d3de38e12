"""A websocket behind the transport contract.

    upgrade.py       asks for it
    prepared.py      what we send, made once and masked each time
    plain_frame.py   what arrives, nearly always
    websocket-client what arrives otherwise: fragments, halves, pings and their answers, breaches of the protocol

Settings that a load generator needs and the library's defaults don't give: no wait for the peer when closing, and an
end to messages that never end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import websocket

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError, TransportError, UpgradeRefused
from stt_load.net.nonblocking_socket import NonBlockingSocket
from stt_load.net.tcp import MakeSocket, TcpConnect
from stt_load.net.transport import Arrival, Need
from stt_load.net.upgrade import Upgrade
from stt_load.session.client_frames import ClientFrame, client_frame
from stt_load.session.server_frames import BINARY, CLOSE, TEXT

_KEYS_AT_ONCE, _KEY_BYTES = 4_096, 4
_NORMAL_CLOSURE, _NO_STATUS = 1000, 1005  # RFC 6455 section 7.4.1; the latter: a close frame without a code


def _fresh_keys() -> Iterator[Iterator[tuple[bytes]]]:
    while True:
        yield struct.iter_unpack(f"{_KEY_BYTES}s", os.urandom(_KEYS_AT_ONCE * _KEY_BYTES))


_keys = itertools.chain.from_iterable(itertools.chain.from_iterable(_fresh_keys()))
"""Masking keys, each of them from the system's random source (RFC 6455 section 5.3), fetched by the thousand."""

_GOODBYE = ClientFrame(struct.pack("!H", _NORMAL_CLOSURE), CLOSE)


class _Library(websocket.WebSocket):
    """On a connection that is open. It answers a ping or a close frame inside its read, and loses the frame where the
    answer fails. A server that said why it closes and left would count as a lost connection; that it has left shows
    soon enough."""

    def __init__(self, incoming: NonBlockingSocket, say_goodbye: Callable[[], None]) -> None:
        # Its own UTF-8 check is slow pure Python; the text is decoded strictly below.
        super().__init__(enable_multithread=False, skip_utf8_validation=True)
        self.sock: Any = incoming
        self.connected = True
        self._send_close = say_goodbye

    def is_between_messages(self) -> bool:
        return not self.cont_frame.recving_frames

    def send_close(self, *arguments: Any, **options: Any) -> None:
        self._send_close()

    def pong(self, payload: str | bytes = "") -> None:
        with contextlib.suppress(websocket.WebSocketException, OSError):
            super().pong(payload)


class WebSocketTransport:
    """One connection. `checks_certificate`: of a wss server; False takes any, as a self-signed one."""

    __slots__ = (
        "_checks_certificate",
        "_dialling",
        "_is_between_messages",
        "_library",
        "_make_socket",
        "_owes_goodbye",
        "_socket",
        "_upgrade",
    )

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        self._checks_certificate = checks_certificate
        self._make_socket = make_socket
        self._dialling: TcpConnect | None = None
        self._upgrade: Upgrade | None = None
        self._socket: NonBlockingSocket | None = None
        self._library: _Library | None = None
        self._is_between_messages = True
        self._owes_goodbye = False  # the websocket is open, and no close frame was sent

    def dial(self, target: Connect) -> None:
        self._dialling = TcpConnect(target.url, self._checks_certificate, self._make_socket)
        self._upgrade = Upgrade(target)

    def advance(self) -> Need | None:
        assert self._upgrade is not None
        if self._dialling is not None:
            need = self._dialling.advance()
            if need is not None:
                return need
            self._socket, self._dialling = NonBlockingSocket(self._dialling.socket), None
        try:
            return self._ask(self._open_socket(), self._upgrade)
        except OSError as error:
            raise UpgradeRefused(f"the connection ended during the upgrade: {error}") from error

    def _ask(self, opening: NonBlockingSocket, upgrade: Upgrade) -> Need | None:
        if upgrade.request:
            opening.hand_over(upgrade.request)
            upgrade.request = b""
        if not opening.flush():
            return Need.WRITABLE
        while opening.has_data():
            rest = upgrade.feed(opening.take())
            if rest is not None:
                opening.put_back(rest)
                self._owes_goodbye, self._upgrade = True, None
                return None
        return Need.READABLE

    @property
    def too_late(self) -> TransportError:
        missing = self._dialling.missing if self._dialling else "no answer to the websocket upgrade"
        return DeadlineExceeded(f"{missing} in time")

    def send(self, message: Message) -> bool:
        return self.send_frame((client_frame(message),))

    def send_frame(self, frame: Sequence[ClientFrame]) -> bool:
        if self._socket is None:
            raise ConnectionLost("not connected")
        is_out, hand_over = True, self._socket.hand_over
        try:
            for message in frame:
                is_out = hand_over(message.masked_by(next(_keys)))
        except OSError as error:
            raise ConnectionLost(f"connection lost while sending: {error}") from error
        return is_out

    def flush(self) -> bool:
        try:
            return self._open_socket().flush()
        except OSError as error:
            raise ConnectionLost(f"connection lost while sending: {error}") from error

    def receive(self) -> Arrival | None:
        incoming = self._open_socket()
        try:
            while incoming.has_data():
                plain = incoming.take_frame() if self._is_between_messages else None
                opcode, payload = plain[:2] if plain else self._read_with_library(incoming)
                if opcode == CLOSE:
                    self._send_close()
                    raise _closed_by_peer(payload)
                if opcode in (TEXT, BINARY):
                    return Arrival(incoming.arrived_s, _decode(opcode, payload), incoming.stamp)
        except (websocket.WebSocketTimeoutException, TimeoutError):
            self._is_between_messages = False  # the rest of it is still to come
        except (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException) as error:
            raise ProtocolError(f"not a websocket frame: {error}") from error
        except (websocket.WebSocketException, OSError) as error:
            raise ConnectionLost(f"connection lost: {error}") from error
        return None

    def _read_with_library(self, incoming: NonBlockingSocket) -> tuple[int, bytes]:
        """Opcode and payload of a message, a ping, a pong or a close frame."""
        if self._library is None:
            self._library = _Library(incoming, self._send_close)
        opcode, frame = self._library.recv_data_frame(control_frame=True)
        incoming.begin_message()
        self._is_between_messages = self._library.is_between_messages()
        return opcode, bytes(frame.data)

    def _send_close(self) -> None:
        """The courtesy of a close frame, if the kernel takes it."""
        if self._owes_goodbye and self._socket is not None:
            self._owes_goodbye = False
            with contextlib.suppress(OSError):
                self._socket.hand_over(_GOODBYE.masked_by(next(_keys)))

    def fileno(self) -> int:
        return self._open_socket().fileno() if self._dialling is None else self._dialling.fileno()

    def close(self) -> None:
        self._send_close()
        for opened in (self._dialling, self._socket):
            if opened is not None:
                with contextlib.suppress(OSError):
                    opened.close()
        self._dialling = self._upgrade = self._socket = self._library = None

    def _open_socket(self) -> NonBlockingSocket:
        if self._socket is None:
            raise ConnectionLost("not connected")
        return self._socket


def _closed_by_peer(payload: bytes) -> ConnectionLost:
    code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else _NO_STATUS
    reason = payload[2:].decode("utf-8", "replace")
    return ConnectionLost(f"closed by the server with {code}" + (f": {reason}" if reason else ""), code)


def _decode(opcode: int, data: bytes) -> Message:
    if opcode == BINARY:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a text message that is no UTF-8") from error

"""A websocket behind the transport contract, with websocket-client doing the protocol: the upgrade, what arrives, and
the answers to it. What we send is prepared and masked in `prepared.py`, as it is sent by the ten thousand a second.

Settings that a load generator needs and the library's defaults don't give: no proxies from the environment (a
proxy would be measured instead of the server), certificates checked with one shared TLS context, no cookies
shared between callers (a sticky-session cookie would pin every caller to one backend), no wait for the peer
when closing, and an end to messages that never end.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import websocket
from websocket import _handshake, _http

from stt_load.credentials import without_credentials
from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError, UpgradeRefused
from stt_load.stream.dial import dial
from stt_load.stream.prepared import PreparedMessage
from stt_load.stream.stamped import StampedSocket
from stt_load.stream.transport import Arrival

_KEYS_AT_ONCE = 4_096
_NO_STATUS = 1005  # RFC 6455 section 7.4.1: a close frame without a code


class _NoCookies(_handshake.SimpleCookieJar):  # type: ignore[misc, name-defined]
    """Stands in for the library's process-wide cookie jar."""

    def add(self, set_cookie: str | None) -> None: ...

    def get(self, host: str | None) -> str:
        return ""


_handshake.CookieJar = _NoCookies()


def _line_of(sock: Any) -> bytes:
    """The library's own asks for each byte of a head by itself; it still does, of whoever else uses it here."""
    line: bytes = sock.recv_line() if isinstance(sock, StampedSocket) else _byte_by_byte(sock)
    return line


_byte_by_byte = getattr(_http, "recv_line")  # noqa: B009 - nor to be read
setattr(_http, "recv_line", _line_of)  # noqa: B010 - it is not among what the library means to be set


class _WebSocket(websocket.WebSocket):
    """The library answers a ping or a close frame inside its read, and loses the frame where the answer fails. A
    server that said why it closes and left would count as a lost connection; that it has left shows soon enough."""

    def send_close(self, *arguments: Any, **options: Any) -> None:
        with contextlib.suppress(websocket.WebSocketException, OSError):
            super().send_close(*arguments, **options)

    def pong(self, payload: str | bytes = "") -> None:
        with contextlib.suppress(websocket.WebSocketException, OSError):
            super().pong(payload)


class _Masks:
    """Masking keys, each of them from the system's random source (RFC 6455 section 5.3), fetched by the thousand."""

    def __init__(self) -> None:
        self._keys: list[np.uint32] = []

    def next_key(self) -> np.uint32:
        if not self._keys:
            self._keys = list(np.frombuffer(os.urandom(_KEYS_AT_ONCE * 4), np.uint32))
        return self._keys.pop()


_masks = _Masks()


class WebSocketTransport:
    """One connection. `connect` waits: under Locust cooperatively, without it by blocking its thread.

    `checks_certificate`: of a wss server; False takes any, as a self-signed one.
    """

    def __init__(self, checks_certificate: bool = True) -> None:
        self._checks_certificate = checks_certificate
        self._ws: _WebSocket | None = None
        self._socket: StampedSocket | None = None

    def connect(self, target: Connect, deadline_s: float) -> None:
        self._socket = StampedSocket(dial(target.url, deadline_s, self._checks_certificate))
        self._socket.deadline_s = deadline_s
        # The library's own UTF-8 check is slow pure Python; the text is decoded strictly below.
        self._ws = _WebSocket(enable_multithread=False, skip_utf8_validation=True)
        try:
            self._ws.connect(
                target.url,
                socket=self._socket,
                header=[f"{name}: {value}" for name, value in _headers(target).items()],
                redirect_limit=0,
                http_no_proxy=["*"],
            )
        except websocket.WebSocketBadStatusException as error:
            raise UpgradeRefused(_status_line(error), error.status_code) from error
        except (websocket.WebSocketTimeoutException, TimeoutError) as error:
            raise DeadlineExceeded("no answer to the websocket upgrade in time") from error
        except (websocket.WebSocketConnectionClosedException, OSError) as error:
            raise UpgradeRefused(f"the connection ended during the upgrade: {error}") from error
        except (websocket.WebSocketException, ValueError) as error:
            raise _redirected(self._ws) or UpgradeRefused(f"no websocket upgrade: {error}") from error
        self._socket.begin_message()
        self._socket.stop_waiting()

    def send(self, message: Message) -> bool:
        return self.send_frame((PreparedMessage(message),))

    def send_frame(self, frame: Sequence[PreparedMessage]) -> bool:
        is_out, outgoing = True, self._open_socket()
        try:
            for message in frame:
                is_out = outgoing.hand_over(message.masked_by(_masks.next_key()))
        except OSError as error:
            raise ConnectionLost(f"connection lost while sending: {error}") from error
        return is_out

    def flush(self) -> bool:
        try:
            return self._open_socket().flush()
        except OSError as error:
            raise ConnectionLost(f"connection lost while sending: {error}") from error

    def receive(self) -> Arrival | None:
        incoming, ws = self._open_socket(), self._ws
        assert ws is not None
        try:
            while incoming.has_data():
                opcode, frame = ws.recv_data_frame(control_frame=True)
                incoming.begin_message()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    raise _closed_by_peer(bytes(frame.data))
                if opcode in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY):
                    return Arrival(incoming.arrived_s, _decode(opcode, frame.data), incoming.stamp)
        except (websocket.WebSocketTimeoutException, TimeoutError):
            pass  # the rest of it is still to come
        except (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException) as error:
            raise ProtocolError(f"not a websocket frame: {error}") from error
        except (websocket.WebSocketException, OSError) as error:
            raise ConnectionLost(f"connection lost: {error}") from error
        return None

    def fileno(self) -> int:
        return self._open_socket().fileno()

    def close(self) -> None:
        """With the courtesy of a close frame, if the kernel takes it."""
        if self._ws is None or self._socket is None:
            return
        self._socket.deadline_s = 0.0
        with contextlib.suppress(websocket.WebSocketException, OSError, ValueError):
            if self._ws.connected:
                self._ws.send_close()
        with contextlib.suppress(OSError):
            self._socket.close()
        self._ws = self._socket = None

    def _open_socket(self) -> StampedSocket:
        if self._socket is None:
            raise ConnectionLost("not connected")
        return self._socket


def _headers(target: Connect) -> dict[str, str]:
    """Subprotocols are offered here, since the library refuses a server that chooses none of them. RFC 6455 section
    4.1 allows that, and servers do it."""
    offered = {"Sec-WebSocket-Protocol": ", ".join(target.subprotocols)} if target.subprotocols else {}
    return {**target.headers, **offered}


def _status_line(error: websocket.WebSocketBadStatusException) -> str:
    body = (error.resp_body or b"").decode("utf-8", "replace").strip().splitlines()
    return f"HTTP {error.status_code} at the upgrade" + (f": {body[0][:200]}" if body else "")


def _redirected(ws: websocket.WebSocket) -> UpgradeRefused | None:
    """The library has no exception of its own for a redirect that it was told not to follow."""
    answer = ws.handshake_response
    if answer is None:
        return None
    where = without_credentials(answer.headers.get("location")) or "nowhere"
    return UpgradeRefused(f"HTTP {answer.status} at the upgrade: redirected to {where}; use that URL", answer.status)


def _closed_by_peer(payload: bytes) -> ConnectionLost:
    code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else _NO_STATUS
    reason = payload[2:].decode("utf-8", "replace")
    return ConnectionLost(f"closed by the server with {code}" + (f": {reason}" if reason else ""), code)


def _decode(opcode: int, data: bytes) -> Message:
    if opcode == websocket.ABNF.OPCODE_BINARY:
        return bytes(data)
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError("a text message that is no UTF-8") from error

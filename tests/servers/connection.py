"""One TCP connection of the scripted recogniser: websocket bytes in and out, with receive stamps and ways to misbehave.

The protocol is the sans-IO half of `websockets`; the socket is ours, because the scripted recogniser needs the
kernel's receive stamps, the moment at which the last byte was handed over, and ways to break a connection that
no websocket library offers. Compression (permessage-deflate) is never agreed to.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from stt_load.dialects.events import Message
from stt_load.server.kernel_stamps import ANCILLARY_BYTES, ask_for_stamps, received_s

_READ_BYTES = 65_536
_MAX_MESSAGE_BYTES = 1 << 20
_CLOSE_PATIENCE_S = 1.0

OnSent = Callable[[float, float], None]
"""Called with the monotonic times before the first call that handed bytes to the kernel, and after the last one. The
peer may have the last byte at any moment between the two."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response that ends the connection: to a plain GET, or in place of the upgrade."""

    status: int
    body: str
    content_type: str = "application/json"


class NoResponse:
    """The request is never answered."""


class Session(Protocol):
    """The state of one caller whose websocket is open. `received_s`: monotonic seconds."""

    def on_open(self) -> None:
        """The upgrade is done: what is sent now comes after it."""
        ...

    def on_message(self, message: Message, received_s: float) -> None: ...

    def on_closed(self) -> None:
        """Called once, however the connection ended."""
        ...


@dataclass(slots=True)
class _Outgoing:
    """Bytes on their way. `begun_s`: before the first call that handed some of them over."""

    rest: memoryview
    on_sent: OnSent | None
    begun_s: float | None = None


class App(Protocol):
    """A recogniser as its connections see it. `path`: of its websocket."""

    path: str

    def on_request(self, request: Request, connection: Connection) -> HttpResponse | NoResponse | Session:
        """Decides about a request: a session opens the websocket."""
        ...


class Connection:
    """Owns a non-blocking socket on the running loop, from accept to close."""

    def __init__(self, raw: socket.socket, app: App, on_gone: Callable[[Connection], None]) -> None:
        self._raw = raw
        self._app = app
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._protocol = ServerProtocol(max_size=_MAX_MESSAGE_BYTES)
        self._session: Session | None = None
        self._parts: list[bytes] = []
        self._is_text = False
        self._unsent: deque[_Outgoing] = deque()
        self._ends_when_sent = False
        self._is_ended = False  # our half of TCP is closed; what still comes in is read and thrown away
        self._is_gone = False
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _notice_dead_peers(raw)
        self.has_kernel_stamps = ask_for_stamps(raw)
        self._loop.add_reader(raw, self._read)

    def send_text(self, text: str, on_sent: OnSent | None = None) -> None:
        """Sends one text message."""
        self.send_raw(text_frame(text.encode()), on_sent)

    def send_raw(self, data: bytes, on_sent: OnSent | None = None) -> None:
        """Sends bytes as they are, whatever they do to the protocol. Nothing happens once the connection is gone."""
        if self._is_gone:
            return
        self._unsent.append(_Outgoing(memoryview(data), on_sent))
        if len(self._unsent) == 1:
            self._write()

    def close(self, code: int, reason: str = "") -> None:
        """Begins the closing handshake, and waits for the peer's half for a second."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
        self._loop.call_later(_CLOSE_PATIENCE_S, self.drop)

    def end_after_sending(self) -> None:
        """Ends TCP (FIN) once everything is sent, without a closing handshake: the peer sees 1006."""
        self._ends_when_sent = True
        self._write()

    def drop(self) -> None:
        """Ends TCP now, without a closing handshake: the peer sees 1006."""
        if self._is_gone:
            return
        self._is_gone = True
        self._loop.remove_reader(self._raw)
        self._loop.remove_writer(self._raw)
        self._unsent.clear()
        self._raw.close()
        if self._session is not None:
            self._session.on_closed()
        self._on_gone(self)

    def reset(self) -> None:
        """Ends TCP by RST: the peer sees a connection reset."""
        if not self._is_gone:
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    def stop_reading(self) -> None:
        """Leaves the peer's bytes in the kernel's buffers from now on."""
        self._loop.remove_reader(self._raw)

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._raw.recvmsg(_READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.drop()
            return
        (arrived_s,) = received_s(ancillary)
        if not data:
            self.drop()
            return
        if self._is_ended:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if self._is_gone:
                return
            if isinstance(event, Request):
                self._on_request(event)
            elif isinstance(event, Frame):
                self._on_frame(event, arrived_s)
        self._flush()

    def _on_request(self, request: Request) -> None:
        outcome = self._app.on_request(request, self)
        if isinstance(outcome, NoResponse):
            return
        if isinstance(outcome, HttpResponse):
            response = self._protocol.reject(outcome.status, outcome.body)
            del response.headers["Content-Type"]  # assigning adds a second one
            response.headers["Content-Type"] = outcome.content_type
        else:
            self._session = outcome
            response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if self._session is not None:
            self._flush()
            self._session.on_open()

    def _on_frame(self, frame: Frame, received_s: float) -> None:
        """Takes text and binary frames, and joins fragments; the library answers the other frames."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) or self._session is None:
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin:
            payload, self._parts = b"".join(self._parts), []
            message = payload.decode("utf-8", "replace") if self._is_text else payload
            self._session.on_message(message, received_s)

    def _flush(self) -> None:
        """Sends what the protocol has ready; empty bytes mean that TCP ends after them."""
        for data in self._protocol.data_to_send():
            if data:
                self.send_raw(data)
            else:
                self.end_after_sending()

    def _write(self) -> None:
        while self._unsent and not self._is_gone:
            outgoing = self._unsent[0]
            if outgoing.begun_s is None:
                outgoing.begun_s = time.monotonic()
            try:
                n_sent = self._raw.send(outgoing.rest)
            except BlockingIOError:
                self._loop.add_writer(self._raw, self._write)
                return
            except OSError:
                self.drop()
                return
            outgoing.rest = outgoing.rest[n_sent:]
            if outgoing.rest:
                continue
            self._unsent.popleft()
            if outgoing.on_sent is not None:
                outgoing.on_sent(outgoing.begun_s, time.monotonic())
        if not self._is_gone:
            self._loop.remove_writer(self._raw)
            if self._ends_when_sent and not self._is_ended:
                self._end()

    def _end(self) -> None:
        """Sends FIN, but keeps the socket until the peer closes: closing it with unread bytes would send a reset."""
        self._is_ended = True
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_WR)
        self._loop.call_later(_CLOSE_PATIENCE_S, self.drop)


def text_frame(payload: bytes, fin: bool = True) -> bytes:
    """A whole text message, or with `fin` false the first fragment of one."""
    return Frame(Opcode.TEXT, payload, fin).serialize(mask=False)


def _notice_dead_peers(raw: socket.socket) -> None:
    """Has the kernel give up a caller whose machine vanished without a word after half a minute."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

"""Carries one upload over HTTP/1.1, on a connection of its own. Under Locust it waits cooperatively.

The connection is dialled before the clock starts, and closed after: what is measured is the server at work, as with a
client that keeps its connections. No proxy of the environment, no redirect, no compression is followed or asked for.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError, SttLoadError
from stt_load.stream.dial import dial
from stt_load.stream.stamped import StampedSocket
from stt_load.uploads.answers import AnswerReader, WholeReader
from stt_load.uploads.exchange import Exchange
from stt_load.uploads.forms import Form
from stt_load.uploads.sse import EventReader

CONNECT_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 16 << 20  # verbose JSON with a time for each word stays far below
_READ_BYTES = 65_536
_TOLD_CHARACTERS = 200

READERS: dict[str, Callable[[], AnswerReader]] = {
    "text/event-stream": EventReader,
    "text/plain": lambda: WholeReader(is_plain=True),
}

Watcher = Callable[[float, bytes], None]
"""Told each piece of a body and when it arrived, monotonic seconds."""


class HttpUpload:
    """`timeout_s`: from the first byte of the request to the last of the answer."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float, checks_certificate: bool = True) -> None:
        parts = urlsplit(url)
        self._url = url
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": "stt-load",
            "Accept": "*/*",
            "Connection": "close",
            **headers,
        }
        self._timeout_s = timeout_s
        self._checks_certificate = checks_certificate

    def carry(self, exchange: Exchange, form: Form, watch: Watcher | None = None) -> None:
        """From the dial to the last byte. Every fault ends up in the exchange; what the greenlet is killed with is
        raised."""
        try:
            self._carry(exchange, form, watch)
        except SttLoadError as fault:
            exchange.on_fault(fault)

    def _carry(self, exchange: Exchange, form: Form, watch: Watcher | None) -> None:
        exchange.dialled_at_s = time.monotonic()
        deadline_s = exchange.dialled_at_s + CONNECT_TIMEOUT_S
        incoming = StampedSocket(dial(self._url, deadline_s, self._checks_certificate))
        try:
            exchange.connected_at_s = time.monotonic()
            exchange.stamp = incoming.stamp
            incoming.deadline_s = exchange.connected_at_s + self._timeout_s
            exchange.begun_at_s = time.monotonic()
            is_cut = self._send(incoming, form)
            exchange.sent_at_s = None if is_cut else time.monotonic()
            self._read(incoming, exchange, watch)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no whole answer within {self._timeout_s:g} s") from error
        except http.client.IncompleteRead as error:
            raise ConnectionLost("the answer was cut off") from error
        except OSError as error:  # before HTTPException: an end instead of an answer is both
            raise ConnectionLost(f"connection lost: {error}") from error
        except http.client.HTTPException as error:
            raise ProtocolError(f"no HTTP answer: {type(error).__name__} {error}".strip()) from error
        finally:
            incoming.close()

    def _send(self, outgoing: StampedSocket, form: Form) -> bool:
        """True where the server stopped listening: it may have answered all the same, and says why."""
        headers = {**self._headers, "Content-Type": form.content_type, "Content-Length": str(len(form.body))}
        lines = [f"POST {self._target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        try:
            for part in ("\r\n".join(lines).encode(), form.body):
                rest = memoryview(part)
                while rest:
                    rest = rest[outgoing.send(cast(bytes, rest)) :]
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    def _read(self, incoming: StampedSocket, exchange: Exchange, watch: Watcher | None) -> None:
        response = http.client.HTTPResponse(_File(incoming), method="POST")  # type: ignore[arg-type]
        response.begin()
        kind = (response.headers.get_content_type() or "").lower()
        is_good = 200 <= response.status < 300
        reader = READERS.get(kind, lambda: WholeReader(is_plain=False))() if is_good else _Excerpt()
        n_bytes = 0
        while data := response.read1(_READ_BYTES):
            n_bytes += len(data)
            if n_bytes > MAX_ANSWER_BYTES:
                raise ProtocolError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            reader.feed(data, incoming.arrived_s)
            if watch is not None:
                watch(incoming.arrived_s, data)
        if response.length:
            raise ConnectionLost("the answer was cut off")
        if isinstance(reader, _Excerpt):
            exchange.on_status(response.status, reader.text)
        else:
            exchange.on_answer(reader.close(), incoming.arrived_s)


class _Excerpt:
    """The beginning of a body that is no transcript."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes, at_s: float) -> None:
        self._data = (self._data + data)[:_READ_BYTES]

    @property
    def text(self) -> str:
        return " ".join(self._data.decode("utf-8", "replace").split())[:_TOLD_CHARACTERS]


class _File:
    """What the standard library asks of a socket when it reads an answer."""

    def __init__(self, incoming: StampedSocket) -> None:
        self._incoming = incoming

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self._incoming), _READ_BYTES)


class _Raw(io.RawIOBase):
    """One read of the socket for each call, so that `arrived_s` is that of the bytes it gave."""

    def __init__(self, incoming: StampedSocket) -> None:
        self._incoming = incoming

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._incoming.begin_message()
        arrived_s = self._incoming.arrived_s
        data = self._incoming.recv(len(buffer))
        if not data:
            self._incoming.arrived_s = arrived_s  # the end of the connection is no part of the answer
        buffer[: len(data)] = data
        return len(data)

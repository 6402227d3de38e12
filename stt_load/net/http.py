"""One HTTP/1.1 POST whose answer comes in stamped pieces. Under Locust it waits cooperatively.

A connection of its own, dialled before the clock starts and closed after: what is measured is the server at work, as
with a client that keeps its connections. No proxy of the environment, no redirect, no compression is followed or asked
for.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast
from urllib.parse import urlsplit

from stt_load.credentials import without_key
from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError
from stt_load.net.sockets import StampedSocket
from stt_load.net.tcp import dial
from stt_load.records import Stamp
from stt_load.session.http_status import fault_of_status

CONNECT_TIMEOUT_S = 10.0
_READ_BYTES = 65_536


class Hearer(Protocol):
    """Is told what happens, when it does. Every moment is monotonic seconds."""

    def on_dial(self, at_s: float) -> None: ...

    def on_connected(self, at_s: float, stamp: Stamp) -> None:
        """The clock starts: what follows at once is the request's first byte."""
        ...

    def on_sent(self, at_s: float) -> None:
        """All of the request is handed over. Not told where the server stopped listening before."""
        ...

    def on_answer(self, headers: Mapping[str, str]) -> None:
        """2xx. Names in lower case."""
        ...

    def on_piece(self, at_s: float, data: bytes) -> None:
        """Part of the body, and when it arrived. May raise any SttLoadError: that is the end then."""
        ...


@dataclass(frozen=True, slots=True)
class Poster:
    """A server and how it is asked. `timeout_s`: from the first byte of the request to the last of the answer.
    `api_key`: what `headers` hold of it; servers are known to quote it in their refusals."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout_s: float
    largest_answer_bytes: int
    api_key: str | None = field(default=None, repr=False)
    checks_certificate: bool = True

    def post(self, body: bytes, content_type: str, hearer: Hearer) -> float:
        """When the last byte of the answer arrived. Every fault is raised, a status other than 2xx too."""
        asked_at_s = time.monotonic()
        hearer.on_dial(asked_at_s)
        incoming = StampedSocket(dial(self.url, asked_at_s + CONNECT_TIMEOUT_S, self.checks_certificate))
        try:
            start_at_s = time.monotonic()
            incoming.deadline_s = start_at_s + self.timeout_s
            hearer.on_connected(start_at_s, incoming.stamp)
            if self._send(incoming, body, content_type):
                hearer.on_sent(time.monotonic())
            return self._read(incoming, hearer)
        except TimeoutError as error:
            raise DeadlineExceeded(f"no whole answer within {self.timeout_s:g} s") from error
        except http.client.IncompleteRead as error:
            raise ConnectionLost("the answer was cut off") from error
        except OSError as error:  # before HTTPException: an end instead of an answer is both
            raise ConnectionLost(f"connection lost: {error}") from error
        except http.client.HTTPException as error:
            raise ProtocolError(f"no HTTP answer: {type(error).__name__} {error}".strip()) from error
        finally:
            incoming.close()

    def _send(self, outgoing: StampedSocket, body: bytes, content_type: str) -> bool:
        """False where the server stopped listening: it may have answered all the same, and says why."""
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": "stt-load",
            "Accept": "*/*",
            "Connection": "close",
            **self.headers,
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
        }
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        try:
            for part in ("\r\n".join(lines).encode(), body):
                rest = memoryview(part)
                while rest:
                    rest = rest[outgoing.send(cast(bytes, rest)) :]
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _read(self, incoming: StampedSocket, hearer: Hearer) -> float:
        response = http.client.HTTPResponse(_File(incoming), method="POST")  # type: ignore[arg-type]
        response.begin()
        if not 200 <= response.status < 300:
            raise fault_of_status(
                response.status, without_key(_beginning(response), self.api_key and self.api_key.strip())
            )
        hearer.on_answer({name.lower(): value for name, value in response.getheaders()})
        n_bytes = 0
        while data := response.read1(_READ_BYTES):
            n_bytes += len(data)
            if n_bytes > self.largest_answer_bytes:
                raise ProtocolError(f"an answer of more than {self.largest_answer_bytes} bytes")
            hearer.on_piece(incoming.arrived_s, data)
        if response.length:  # http.client takes the end of the connection for the end of the body
            raise ConnectionLost("the answer was cut off")
        return incoming.arrived_s


def _beginning(response: http.client.HTTPResponse) -> str:
    """Of a body that says what is wrong. The status holds even where nothing of it can be had."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return response.read(_READ_BYTES).decode("utf-8", "replace")
    return ""


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

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from stt_load.credentials import without_key
from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError
from stt_load.net.sockets import StampedSocket
from stt_load.net.tcp import dial
from stt_load.records import Stamp
from stt_load.session.http_status import fault_of_status

CONNECT_TIMEOUT_S = 10.0
_READ_BYTES = 65_536
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class HttpClient:
    """A server, and how it is asked. `timeout_s`: from the first byte of a request to the last of its answer.
    `api_key`: what `headers` hold of it; servers are known to quote it in their refusals."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout_s: float
    max_answer_bytes: int
    api_key: str | None = field(default=None, repr=False)
    checks_certificate: bool = True

    def post(self, body: bytes, content_type: str) -> HttpPost:
        """A request that is yet to be sent."""
        return HttpPost(self, body, content_type)


class HttpPost:
    """One request and its answer: `send` it, then iterate over the pieces of the body, each with its arrival; as a
    context manager it closes its connection. Both raise every fault as an SttLoadError.

    Every `*_at_s` is monotonic seconds, None where it has not happened. `connected_at_s`: the clock starts, and what
    follows at once is the request's first byte. `sent_at_s`: all of it is handed over; None too where the server
    stopped listening before. `ended_at_s`: the last byte of the answer arrived. `headers`: of the answer, names in
    lower case. `stamp`: where arrival times come from.
    """

    def __init__(self, client: HttpClient, body: bytes, content_type: str) -> None:
        self._client = client
        self._body = body
        self._content_type = content_type
        self._socket: StampedSocket | None = None
        self._response: http.client.HTTPResponse | None = None
        self.dialled_at_s: float | None = None
        self.connected_at_s: float | None = None
        self.sent_at_s: float | None = None
        self.ended_at_s: float | None = None
        self.headers: Mapping[str, str] = {}
        self.stamp: Stamp = "read"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    @property
    def connect_s(self) -> float | None:
        """From the dial to the connection."""
        return self.seconds_between(self.dialled_at_s, self.connected_at_s)

    def since_start_s(self, at_s: float | None) -> float | None:
        """Seconds from the request's first byte to `at_s`."""
        return self.seconds_between(self.connected_at_s, at_s)

    @staticmethod
    def seconds_between(start_s: float | None, end_s: float | None) -> float | None:
        return None if start_s is None or end_s is None else end_s - start_s

    def send(self) -> None:
        """Dials, hands the request over, and reads the head of the answer. Raises whatever goes wrong, a status other
        than 2xx too."""
        client = self._client
        self.dialled_at_s = time.monotonic()
        raw = dial(client.url, self.dialled_at_s + CONNECT_TIMEOUT_S, client.checks_certificate)
        stamped = self._socket = StampedSocket(raw)
        self.stamp = stamped.stamp
        self.connected_at_s = time.monotonic()
        stamped.deadline_s = self.connected_at_s + client.timeout_s
        with self._faults():
            if self._hand_over(stamped):
                self.sent_at_s = time.monotonic()
            self._read_head(stamped)

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        """When a piece of the body arrived, and the piece."""
        stamped, response = self._socket, self._response
        assert stamped is not None and response is not None, "not sent yet"
        n_bytes, limit = 0, self._client.max_answer_bytes
        with self._faults():
            while data := response.read1(_READ_BYTES):
                n_bytes += len(data)
                if n_bytes > limit:
                    raise ProtocolError(f"an answer of more than {limit} bytes")
                yield stamped.arrived_s, data
            if response.length:  # http.client takes the end of the connection for the end of the body
                raise ConnectionLost("the answer was cut off")
        self.ended_at_s = stamped.arrived_s

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"no whole answer within {self._client.timeout_s:g} s") from error
        except http.client.IncompleteRead as error:
            raise ConnectionLost("the answer was cut off") from error
        except OSError as error:  # before HTTPException: an end instead of an answer is both
            raise ConnectionLost(f"connection lost: {error}") from error
        except http.client.BadStatusLine as error:
            raise ProtocolError(f"no HTTP answer but {str(error).strip()[:_SHOWN_CHARACTERS]!r}") from error
        except http.client.HTTPException as error:
            raise ProtocolError(f"no HTTP answer: {type(error).__name__} {error}".strip()) from error

    def _hand_over(self, stamped: StampedSocket) -> bool:
        """False where the server stopped listening: it may have answered all the same, and says why."""
        parts = urlsplit(self._client.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": "stt-load",
            "Accept": "*/*",
            "Connection": "close",
            **self._client.headers,
            "Content-Type": self._content_type,
            "Content-Length": str(len(self._body)),
        }
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        try:
            for part in ("\r\n".join(lines).encode(), self._body):
                rest = memoryview(part)
                while rest:
                    rest = rest[stamped.send(rest) :]
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _read_head(self, stamped: StampedSocket) -> None:
        response = http.client.HTTPResponse(_File(stamped), method="POST")  # type: ignore[arg-type]
        response.begin()
        if not 200 <= response.status < 300:
            key = self._client.api_key and self._client.api_key.strip()
            raise fault_of_status(response.status, without_key(_beginning(response), key))
        self._response = response
        self.headers = {name.lower(): value for name, value in response.getheaders()}


def _beginning(response: http.client.HTTPResponse) -> str:
    """The beginning of a body that says what is wrong. The status holds even where nothing of it can be had."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return response.read(_READ_BYTES).decode("utf-8", "replace")
    return ""


class _File:
    """Stands for a socket: what the standard library asks of one when it reads an answer."""

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

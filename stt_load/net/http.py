"""One HTTP/1.1 POST whose answer comes in stamped pieces. Under Locust it waits cooperatively.

A connection of its own, dialled before the clock starts and closed after: what is measured is the server at work, as
with a client that keeps its connections. No proxy of the environment, no redirect, no compression is followed or asked
for.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError, SttLoadError
from stt_load.net.own_faults import fault_of
from stt_load.net.sockets import StampedSocket
from stt_load.net.tcp import dial
from stt_load.records import Stamp
from stt_load.session.http_answer import MAX_HEAD_BYTES, AnswerHead, HttpAnswer
from stt_load.session.http_request import USER_AGENT, request_head, tls_hint
from stt_load.session.http_status import REASON_BYTES, REASON_TIMEOUT_S, fault_of_status, is_compressed, one_line

_READ_BYTES = 16_384  # that are looked at before others in this process have their turn
_MORE_THAN_BODY = 2  # an answer may have so many times the bytes of the longest body, with what is around its chunks


@dataclass(frozen=True, slots=True)
class HttpClient:
    """A server, and how it is asked. `timeout_s`: from the first byte of a request to the last of its answer.
    `api_headers`: those of its API, with the key in them; own headers of the `credentials` replace them."""

    url: str
    api_headers: Mapping[str, str] = field(repr=False)
    timeout_s: float
    max_answer_bytes: int
    credentials: Credentials = NO_CREDENTIALS
    checks_certificate: bool = True
    connect_timeout_s: float = 10.0

    @property
    def headers(self) -> Mapping[str, str]:
        return self.credentials.added_to(self.api_headers)

    def hide(self, text: str | None) -> str | None:
        """What a server said, without what is secret."""
        return text and self.credentials.hide(text)

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
        self._answer = HttpAnswer()
        self._body_begun = b""  # what of the body was read and not given out yet
        self._n_read = 0  # bytes of the answer, whatever they are
        self.dialled_at_s: float | None = None
        self.connected_at_s: float | None = None
        self.sent_at_s: float | None = None
        self.ended_at_s: float | None = None
        self.headers: Mapping[str, str] = {}
        self.stamp: Stamp = "read"
        self._late_s: tuple[float | None, float | None] | None = None  # of the first and the last reading of the body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    @property
    def connect_s(self) -> float | None:
        """From the dial to the connection."""
        return self.seconds_between(self.dialled_at_s, self.connected_at_s)

    @property
    def arrival_late_s(self) -> float | None:
        """How long before their times the first or the last piece of the body may have arrived, seconds; None where
        both times are certain."""
        return max((late_s for late_s in self._late_s or () if late_s is not None), default=None)

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
        raw = dial(client.url, self.dialled_at_s + client.connect_timeout_s, client.checks_certificate)
        stamped = self._socket = StampedSocket(raw)
        self.stamp = stamped.stamp
        self.connected_at_s = time.monotonic()
        stamped.deadline_s = self.connected_at_s + client.timeout_s
        with self._faults():
            if self._hand_over(stamped):
                self.sent_at_s = time.monotonic()
            head = self._read_head(stamped)
            if not head.is_success:
                raise fault_of_status(head.status, head.headers, self._read_refusal(stamped), client.url)
            if is_compressed(head.headers):
                coding = one_line(head.headers["content-encoding"])
                raise ProtocolError(f"an answer that is compressed, which nobody asked for: {coding}")
        self.headers = head.headers

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        """When a piece of the body arrived, and the piece."""
        stamped, n_bytes, limit = self._socket, 0, self._client.max_answer_bytes
        assert stamped is not None, "not sent yet"
        with self._faults():
            while True:
                n_bytes += len(self._body_begun)
                if n_bytes > limit:
                    raise ProtocolError(f"an answer of more than {limit:,} bytes")
                if self._body_begun:
                    yield stamped.arrived_s, self._body_begun
                if self._answer.is_complete:
                    break
                self._body_begun = self._read(stamped)
        self.ended_at_s = stamped.arrived_s

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"no whole answer within {self._client.timeout_s:g} s") from error
        except OSError as error:
            lost = ConnectionLost(f"connection lost: {error}{self._tls_hint}")
            raise fault_of(error, "connection lost", lost) from error
        except ConnectionLost as error:
            raise ConnectionLost(f"{error}{self._tls_hint}") from error

    @property
    def _tls_hint(self) -> str:
        return "" if self._answer.has_begun else tls_hint(self._client.url)

    def _hand_over(self, stamped: StampedSocket) -> bool:
        """False where the server stopped listening, or has answered before it heard everything: it says why."""
        head = request_head(
            "POST",
            self._client.url,
            {"User-Agent": USER_AGENT, "Accept": "*/*"},
            self._client.headers,
            {"Connection": "close", "Content-Type": self._content_type, "Content-Length": str(len(self._body))},
        )
        try:
            for part in (head, self._body):
                rest = memoryview(part)
                while rest:
                    n_sent = stamped.send(rest) if self._answer.head else stamped.send_or_hear(rest)
                    if n_sent is not None:
                        rest = rest[n_sent:]
                    elif self._has_answered(stamped):
                        return False
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _has_answered(self, stamped: StampedSocket) -> bool:
        """Whether the server wants to hear no more: it has refused, or said all. Of one that has begun to answer well
        the rest is read when it has heard everything."""
        data = stamped.recv_if_here(_READ_BYTES)
        if data is None:
            return False
        with self._forgiving_refusals():
            self._body_begun = self._taken(stamped, data)
        head = self._answer.head
        return head is not None and (self._answer.is_complete or not head.is_success)

    def _read_head(self, stamped: StampedSocket) -> AnswerHead:
        """The head of the answer; of a refusal also where its body breaks the rules."""
        with self._forgiving_refusals():
            while self._answer.head is None:
                self._body_begun = self._read(stamped)
        assert self._answer.head is not None
        return self._answer.head

    @contextlib.contextmanager
    def _forgiving_refusals(self) -> Iterator[None]:
        """A refusal is one whatever comes behind its head."""
        try:
            yield
        except ProtocolError:
            if self._answer.head is None or self._answer.head.is_success:
                raise

    def _read_refusal(self, stamped: StampedSocket) -> bytes:
        """The beginning of a body that says what is wrong. The status holds even where nothing of it can be had."""
        stamped.deadline_s = min(stamped.deadline_s, time.monotonic() + REASON_TIMEOUT_S)
        body = self._body_begun
        with contextlib.suppress(OSError, SttLoadError):
            while not self._answer.is_complete and len(body) < REASON_BYTES:
                body += self._read(stamped)
        return body

    def _read(self, stamped: StampedSocket) -> bytes:
        """One read of the socket, so that `arrived_s` is that of what it gives: what of the body came with it."""
        if self._n_read:
            time.sleep(0)  # under Locust: a server that never pauses keeps nobody else waiting
        stamped.begin_message()
        arrived_s = stamped.arrived_s
        return self._taken(stamped, stamped.recv(_READ_BYTES), arrived_s)

    def _taken(self, stamped: StampedSocket, data: bytes, arrived_s: float = 0.0) -> bytes:
        """What of the body is in `data`, which was read just now; nothing is, at the end of the connection."""
        if data:
            self._n_read += len(data)
            if self._n_read > MAX_HEAD_BYTES + _MORE_THAN_BODY * self._client.max_answer_bytes:
                raise ProtocolError(f"the server floods: an answer of more than {self._n_read:,} bytes")
            body, self.stamp = self._answer.feed(data), stamped.stamp
            first = (stamped.late_s, None) if self._late_s is None else self._late_s
            self._late_s = (first[0], stamped.late_s) if body or self._late_s else None
            return body
        stamped.arrived_s = arrived_s  # the end of the connection is no part of the answer
        return self._answer.end()

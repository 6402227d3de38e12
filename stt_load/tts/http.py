"""One text spoken by a server over HTTP, with the time of every byte. Under Locust it waits cooperatively.

A connection for each request, dialled before the clock starts. No proxies of the environment, no redirects.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from stt_load.errors import ConnectionLost, DeadlineExceeded, ProtocolError, SttLoadError
from stt_load.stream.dial import dial
from stt_load.tts.answer import Answer, Spoken
from stt_load.tts.apis import Options, TtsApi
from stt_load.tts.faults import fault_of_status

READ_BYTES = 64 * 1024
LARGEST_BODY_BYTES = 256 * 1024 * 1024
_LARGEST_COMPLAINT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Speaker:
    """A server, and how it is asked. `timeout_s`: for the whole of one request, dialling included."""

    api: TtsApi
    url: str
    options: Options
    timeout_s: float
    api_key: str | None = field(default=None, repr=False)
    checks_certificate: bool = True

    def speak(self, text: str) -> Spoken:
        """Every fault ends up in what is returned; what a greenlet is killed with is raised."""
        asked_at_s = time.monotonic()
        deadline_s = asked_at_s + self.timeout_s
        answer = Answer(self._format, asked_at_s)
        try:
            with contextlib.closing(dial(self.url, deadline_s, self.checks_certificate)) as raw:
                start_at_s = time.monotonic()
                answer = Answer(self._format, start_at_s, connect_s=start_at_s - asked_at_s)
                self._exchange(raw, text, answer, deadline_s)
        except SttLoadError as fault:
            return answer.end(time.monotonic(), fault)
        return answer.end(time.monotonic())

    @property
    def _format(self) -> str:
        return str(self.options.get("response_format") or "")

    def _exchange(self, raw: socket.socket, text: str, answer: Answer, deadline_s: float) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "")
        connection.sock = raw
        try:
            _give_time(raw, deadline_s)
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request("POST", target, self._body(text), self._headers(parts.netloc))
            with contextlib.closing(connection.getresponse()) as response:
                _read(raw, response, answer, deadline_s)
        except TimeoutError:
            raise DeadlineExceeded(f"the answer was not complete after {self.timeout_s:g} s") from None
        except http.client.RemoteDisconnected:
            raise ConnectionLost("the server hung up without an answer") from None
        except http.client.IncompleteRead:
            raise ConnectionLost("the connection ended in the middle of the answer") from None
        except http.client.HTTPException as error:
            raise ProtocolError(f"the answer is no HTTP: {error!r}") from None
        except OSError as error:
            raise ConnectionLost(f"the connection was lost: {error.strerror or error}") from None

    def _body(self, text: str) -> bytes:
        return json.dumps(self.api.body(text, self.options)).encode()

    def _headers(self, netloc: str) -> dict[str, str]:
        headers = {"Host": netloc.rpartition("@")[2], "Content-Type": "application/json"}
        return headers | ({"Authorization": f"Bearer {self.api_key}"} if self.api_key else {})


def _read(raw: socket.socket, response: http.client.HTTPResponse, answer: Answer, deadline_s: float) -> None:
    if response.status != 200:
        _give_time(raw, deadline_s)
        raise fault_of_status(response.status, response.read(_LARGEST_COMPLAINT_BYTES))
    answer.begin({name.lower(): value for name, value in response.getheaders()})
    n_bytes = 0
    while True:
        _give_time(raw, deadline_s)
        data = response.read1(READ_BYTES)
        if not data:
            break
        answer.take(time.monotonic(), data)
        n_bytes += len(data)
        if n_bytes > LARGEST_BODY_BYTES:
            raise ProtocolError(f"the answer is longer than {LARGEST_BODY_BYTES // 2**20} MiB")
    if response.length:  # http.client takes the end of the connection for the end of the body
        raise ConnectionLost("the connection ended in the middle of the answer")


def _give_time(raw: socket.socket, deadline_s: float) -> None:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    raw.settimeout(left_s)

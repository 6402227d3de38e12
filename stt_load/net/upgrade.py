"""The upgrade to a websocket: the request and its answer, without a socket (RFC 6455 section 4.1).

A library's upgrade costs ten times as much, which at hundreds of utterances a second is a third of what all their audio
costs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from urllib.parse import urlsplit

from stt_load.dialects.base import Connect
from stt_load.errors import ConnectionLost, HandshakeFailed, ProtocolError, UpgradeRefused
from stt_load.net.random_keys import random_keys
from stt_load.session.http_answer import SIGNED, SWITCHING_PROTOCOLS, AnswerHead, HttpAnswer
from stt_load.session.http_request import USER_AGENT, authority, request_head, tls_hint
from stt_load.session.http_status import REASON_BYTES, refused_upgrade

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY_BYTES = 16
_upgrade_keys = random_keys(_KEY_BYTES)
_SIGNED = SIGNED.decode()
_PLACE_OF_KEY = os.urandom(_KEY_BYTES).hex()  # stands for the key of any request
_ENDED = "the connection ended during the upgrade: {}"


class Upgrade:
    """One upgrade request and its answer. `request` holds the bytes to send; the sender empties it."""

    def __init__(self, target: Connect) -> None:
        self._url = target.url
        self._key = base64.b64encode(next(_upgrade_keys))
        before_key, after_key = _request(target.url, tuple(target.headers.items()), tuple(target.subprotocols))
        self.request = before_key + self._key + after_key
        self._answer = HttpAnswer(base64.b64encode(hashlib.sha1(self._key + _GUID).digest()))
        self._refusal = b""  # the body of an answer other than 101

    def feed(self, data: bytes) -> bytes | None:
        """Takes some of the answer, or nothing at the end of the connection. Gives what came behind the answer when the
        upgrade is done, None before. Raises UpgradeRefused, ProtocolError."""
        try:
            self._refusal += self._answer.feed(data) if data else self._answer.end()
        except ConnectionLost as error:
            raise self.ended("it was closed by the server") from error
        except ProtocolError as error:
            raise self.refusal or error from error
        head = self._answer.head
        if head is None:
            return None
        if head.status == SWITCHING_PROTOCOLS:
            _check(head)
            return self._answer.rest
        if self._answer.is_complete or len(self._refusal) >= REASON_BYTES:
            raise refused_upgrade(head.status, head.headers, self._refusal, self._url)
        return None

    def ended(self, how: str) -> UpgradeRefused:
        """The fault of a connection that has ended: the refusal that came before, or in words how it ended."""
        refusal = self.refusal
        if refusal is not None:
            return refusal
        hint = "" if self._answer.has_begun else tls_hint(self._url)
        return HandshakeFailed(_ENDED.format(how) + hint)

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused, and the rest of its reason is still to come."""
        return self._answer.head is not None and self._answer.head.status != SWITCHING_PROTOCOLS

    @property
    def refusal(self) -> UpgradeRefused | None:
        """The refusal by the server, with as much of its reason as has come; None where it has not refused."""
        head = self._answer.head
        if head is None or not self.is_refused:
            return None
        return refused_upgrade(head.status, head.headers, self._refusal, self._url)


def _check(head: AnswerHead) -> None:
    """Raises UpgradeRefused where the answer lacks what section 4.1 has a client look for. A subprotocol is not
    insisted on: servers that want to be offered one may not say which they chose."""
    if not head.is_upgrade:
        raise HandshakeFailed("no websocket upgrade: HTTP 101 without the headers of one")
    if head.headers.get("sec-websocket-accept") != _SIGNED:
        raise HandshakeFailed("no websocket upgrade: Sec-WebSocket-Accept is not an answer to this request's key")
    if head.headers.get("sec-websocket-extensions"):
        raise HandshakeFailed("no websocket upgrade: an extension that nobody asked for")


@functools.lru_cache(maxsize=256)
def _request(url: str, headers: tuple[tuple[str, str], ...], subprotocols: tuple[str, ...]) -> tuple[bytes, bytes]:
    """What stands before the key and after it: the same for thousands of callers. `Origin` is what browsers send, since
    some servers check it."""
    origin = f"{'https' if urlsplit(url).scheme == 'wss' else 'http'}://{authority(url)}"
    usual = {"User-Agent": USER_AGENT, "Origin": origin}
    handshake = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": _PLACE_OF_KEY,
    }
    offered = {"Sec-WebSocket-Protocol": ", ".join(subprotocols)} if subprotocols else {}
    head = request_head("GET", url, usual, dict(headers), offered, handshake)
    before, _, after = head.partition(_PLACE_OF_KEY.encode())
    return before, after

"""The session of `requests` for servers that are named once and asked at that address only."""

from __future__ import annotations

import time
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_HEAD_LINES = 100
"""An answer may have so many lines before its body, those of every `100 Continue` included."""

MAX_HEAD_BYTES = 65_536
HEAD_LIMIT_S = 10.0


class HeadTooLong(ValueError):
    """The head of an answer has no end, or takes too long. No error of `requests`: of those it would make a lost
    connection, or try again."""


class DirectSession(requests.Session):
    """A session for which a redirect is an answer like any other, and which reads no endless head.

    With `allow_redirects=False` alone `requests` still reads the whole body of a redirect, into memory and without an
    end where the server sends none, before `stream=True` gives the caller a say. And `http.client`, below it, passes
    over any number of `100 Continue`: under gevent a server that never pauses would let no other greenlet run.
    """

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _BoundedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _BoundedHead:
    """The stream from which `http.client` reads the head of one answer, line by line. Raises HeadTooLong."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines_left, self._bytes_left = MAX_HEAD_LINES, MAX_HEAD_BYTES
        self._until_s = time.monotonic() + HEAD_LIMIT_S

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(min(limit, self._bytes_left + 1))
        self._lines_left -= 1
        self._bytes_left -= len(line)
        if self._lines_left < 0 or self._bytes_left < 0:
            raise HeadTooLong("the head of its answer has no end")
        if time.monotonic() > self._until_s:
            raise HeadTooLong(f"the head of its answer took more than {HEAD_LIMIT_S:g} s")
        return line

    def close(self) -> None:
        self._stream.close()


class _BoundedResponse(HTTPResponse):
    def begin(self) -> None:
        whole: Any = self.fp
        head: Any = _BoundedHead(whole)
        self.fp = head
        try:
            super().begin()
        finally:
            if self.fp is head:  # it is None where there is no body
                self.fp = whole


class _BoundedConnection(HTTPConnection):
    response_class = _BoundedResponse


class _BoundedTlsConnection(HTTPSConnection):
    response_class = _BoundedResponse


class _BoundedPool(HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _BoundedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTlsConnection


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _BoundedPool, "https": _BoundedTlsPool}

"""The endpoint that Prometheus scrapes: `GET /metrics`, in a greenlet of the process that leads the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
from gevent.pywsgi import WSGIHandler, WSGIServer

from stt_load.net.request_origin import is_from_our_page, is_ours
from stt_load.option_values import is_loopback
from stt_load.process.log import log
from stt_load.telemetry.exported import LiveFigures
from stt_load.telemetry.exposition import answer

_AT_ONCE = 32  # connections
_CONNECTION_LIMIT_S = 20.0
_FRESH_S = 0.5  # however often somebody asks: to write the text takes a millisecond in which no audio is sent

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class MetricsEndpoint:
    """Serves what `read` returns from `start` to `stop`. On a loopback address it refuses what pages of other origins
    ask for: they may have made a name of theirs lead here. Elsewhere whoever reaches it may read it."""

    def __init__(self, host: str, port: int, read: Callable[[], LiveFigures]) -> None:
        self._host = host
        self._read = read
        self._answers: dict[str, tuple[float, tuple[bytes, str]]] = {}  # by Accept, with the moment of each
        self._connections = _Connections()
        self._server = WSGIServer((host, port), self._respond, log=None, error_log=None, spawn=self._connections.spawn)
        self._server.handler_class = _Handler

    def start(self) -> None:
        """Raises OSError where it can't listen there."""
        self._server.start()
        log.info("metrics: %s", self.url)

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}/metrics"

    def stop(self) -> None:
        self._server.stop()
        self._connections.close()

    def _respond(self, request: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, (body, content_type) = self._answer(request)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if request["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, request: Mapping[str, Any]) -> tuple[HTTPStatus, tuple[bytes, str]]:
        method, path = request["REQUEST_METHOD"], request["PATH_INFO"]
        if is_loopback(self._host) and not _is_allowed(request):
            return HTTPStatus.FORBIDDEN, _line("pages of other origins may not read this: ask 127.0.0.1 or localhost")
        if path != "/metrics":
            return HTTPStatus.NOT_FOUND, _line("there is /metrics and nothing else")
        if method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, _line("only GET is answered")
        return HTTPStatus.OK, self._figures(str(request.get("HTTP_ACCEPT", "")))

    def _figures(self, accept: str) -> tuple[bytes, str]:
        now_s = time.monotonic()
        self._answers = {key: kept for key, kept in self._answers.items() if now_s - kept[0] < _FRESH_S}
        if accept not in self._answers:
            self._answers[accept] = now_s, answer(self._read(), accept)
        return self._answers[accept][1]


class _Connections:
    """The greenlets of the open connections, `_AT_ONCE` at most. Where one more comes, the oldest makes room: a request
    is answered in milliseconds, so that is somebody who sends none. To let the newcomer wait instead would leave it to
    thirty silent connections whether anybody is answered."""

    def __init__(self) -> None:
        self._greenlets: dict[gevent.Greenlet[..., object], None] = {}  # the oldest first

    def spawn(self, serve: Callable[..., Any], /, *args: Any, **more: Any) -> gevent.Greenlet[..., Any]:
        if len(self._greenlets) >= _AT_ONCE:
            oldest = next(iter(self._greenlets))
            del self._greenlets[oldest]
            oldest.kill(block=False)
        greenlet = gevent.spawn(serve, *args, **more)
        self._greenlets[greenlet] = None
        greenlet.link(lambda ended: self._greenlets.pop(ended, None))
        return greenlet

    def close(self) -> None:
        gevent.killall(list(self._greenlets), timeout=1)


class _Handler(WSGIHandler):
    """Ends a connection that takes too long: a scraper that has gone without a word."""

    def handle(self) -> None:
        limit = gevent.Timeout(_CONNECTION_LIMIT_S)
        with suppress(gevent.Timeout), limit:
            super().handle()


def _is_allowed(request: Mapping[str, Any]) -> bool:
    host = str(request.get("HTTP_HOST", "")).lower()
    names = {"Origin": "HTTP_ORIGIN", "Sec-Fetch-Site": "HTTP_SEC_FETCH_SITE", "Sec-Fetch-Mode": "HTTP_SEC_FETCH_MODE"}
    headers = {name: str(request[key]) for name, key in names.items() if key in request}
    return is_ours(host, ()) and is_from_our_page(str(request["REQUEST_METHOD"]), host, headers, ())


def _line(text: str) -> tuple[bytes, str]:
    return f"{text}\n".encode(), "text/plain; charset=utf-8"

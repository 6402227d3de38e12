"""A real HTTP server that answers as it is told, in place of a TTS server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

IN_FLIGHT_S = 0.02  # between a request and its answer


@dataclass
class TtsStandIn:
    """A server that gives `answers` in turn, one for each request, and the last one from then on.

    An answer writes to the open connection.
    """

    url: str = ""
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    bodies: list[dict] = field(default_factory=list)
    headers: list[dict] = field(default_factory=list)
    in_flight_max: int = 0


def answer(
    status: int, body: bytes, promised: int | None = None, content_type: str | None = None
) -> Callable[[BaseHTTPRequestHandler], None]:
    """`promised`: the content-length, where it is to differ from the truth."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body) if promised is None else promised))
        if content_type is not None:
            handler.send_header("content-type", content_type)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def answer_without_length(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """The end of the connection is the end of the body: nothing in HTTP tells a cut from an end."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return send


@contextmanager
def running() -> Iterator[TtsStandIn]:
    stand_in = TtsStandIn()
    lock = threading.Lock()
    in_flight = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal in_flight
            with lock:
                in_flight += 1
                stand_in.in_flight_max = max(stand_in.in_flight_max, in_flight)
                number = len(stand_in.bodies)
                stand_in.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                stand_in.headers.append({key.lower(): value for key, value in self.headers.items()})
            # Requests that are sent at once meet here. Counted before the answer: a client may ask again as soon as it
            # has the last byte.
            time.sleep(IN_FLIGHT_S)
            with lock:
                in_flight -= 1
            stand_in.answers[min(number, len(stand_in.answers) - 1)](self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    yield stand_in
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)

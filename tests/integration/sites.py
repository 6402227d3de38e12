"""The web UI in a process of its own, and a page on another origin."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from ports import free_port
from runs import LOCUST, Run, wait_for


@contextmanager
def web_ui(
    locustfile: Path, folder: Path, *options: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, Run]]:
    """Locust with its web UI: its address, and its process."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    line = [*LOCUST, "-f", str(locustfile), "--web-host", "127.0.0.1", "--web-port", str(port), *options]
    with Run([*line, "--results", str(folder / "results")], folder, environment) as run:
        wait_for(lambda: _answers(site), "the web UI", run)
        yield site, run


def _answers(site: str) -> bool:
    try:
        return requests.get(site, timeout=5).ok
    except requests.ConnectionError:
        return False


class Page(http.server.BaseHTTPRequestHandler):
    """A page on another origin, and a server that notes what it is sent."""

    seen: list[tuple[str, dict[str, str]]]
    page = ""

    def answer(self) -> None:
        self.seen.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page.encode())

    do_GET = do_POST = answer  # noqa: N815 - the names that the library calls

    def log_message(self, *_: object) -> None: ...


@contextmanager
def other_origin(page: str = "") -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """Serves `page`: its address, and the path and headers of each request."""
    handler = type("Served", (Page,), {"seen": [], "page": page})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, closing_later(server):
        yield f"http://localhost:{server.server_address[1]}", handler.seen


@contextmanager
def closing_later(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()

"""The endpoint over real sockets: the client is a real thread, as the server's greenlets are in this one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import gevent
import pytest
from live_figures import live_figures
from ports import free_port

from stt_load.telemetry.endpoint import MetricsEndpoint


@pytest.fixture
def endpoint() -> Iterator[MetricsEndpoint]:
    made = MetricsEndpoint("127.0.0.1", free_port(), live_figures)
    made.start()
    yield made
    made.stop()


def ask(endpoint: MetricsEndpoint, request: str = "GET /metrics", *headers: str) -> tuple[int, str]:
    """The status and the body of an answer."""
    port = int(endpoint.url.rpartition(":")[2].partition("/")[0])
    named = headers if any(line.startswith("Host:") for line in headers) else (f"Host: 127.0.0.1:{port}", *headers)

    def exchange() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            lines = (f"{request} HTTP/1.1", *named, "Connection: close", "", "")
            connection.sendall("\r\n".join(lines).encode())
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    head, _, body = gevent.get_hub().threadpool.apply(exchange).decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def test_it_serves_the_figures(endpoint: MetricsEndpoint) -> None:
    status, body = ask(endpoint)
    assert status == 200
    assert "stt_load_callers_target 10.0" in body


@pytest.mark.parametrize(
    ("sentence", "status", "request_line", "headers"),
    [
        ("there is one page", 404, "GET /", ()),
        ("nothing is changed here", 405, "POST /metrics", ()),
        ("a name that a page has pointed here is none of ours", 403, "GET /metrics", ("Host: evil.example:9646",)),
        ("a page of another origin reads nothing", 403, "GET /metrics", ("Origin: http://evil.example",)),
        ("a browser says that a page asks", 403, "GET /metrics", ("Sec-Fetch-Site: cross-site",)),
        ("who types the address may look", 200, "GET /metrics", ("Sec-Fetch-Site: none",)),
        ("localhost is a name of ours", 200, "GET /metrics", ("Host: localhost:9646",)),
        ("a HEAD has no body", 200, "HEAD /metrics", ()),
    ],
)
def test_what_is_answered(
    endpoint: MetricsEndpoint, sentence: str, status: int, request_line: str, headers: tuple[str, ...]
) -> None:
    got, body = ask(endpoint, request_line, *headers)
    assert got == status
    assert ("stt_load_" in body) is (status == 200 and request_line.startswith("GET"))


def test_whoever_asks_often_gets_the_same_text() -> None:
    """To write it takes time in which no audio is sent."""
    read = []
    endpoint = MetricsEndpoint("127.0.0.1", free_port(), lambda: read.append(1) or live_figures())  # type: ignore[func-returns-value]
    endpoint.start()
    for _ in range(20):
        ask(endpoint)
    endpoint.stop()
    assert 1 <= len(read) < 20


def test_a_hundred_silent_connections_keep_no_scraper_waiting(endpoint: MetricsEndpoint) -> None:
    address = ("127.0.0.1", int(endpoint.url.rpartition(":")[2].partition("/")[0]))
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(100)]
        status, _ = ask(endpoint)  # who waited until all of them are given up would wait for minutes
        assert status == 200
        assert gevent.get_hub().threadpool.apply(silent[0].recv, (1,)) == b"", "the oldest makes room"


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        MetricsEndpoint("127.0.0.1", taken.getsockname()[1], live_figures).start()

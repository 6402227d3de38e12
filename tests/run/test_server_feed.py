"""Reading a server's own metrics, from a real HTTP server in a thread that misbehaves as it is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from metrics_server import GOOD, Answer, MetricsServer, say
from ports import free_port

from stt_load.clock import SteadyWallClock
from stt_load.run.server_feed import ServerFeed
from stt_load.server_metrics.choice import parse_server_metric


class Kept:
    """What a feed has handed on."""

    def __init__(self, url: str, *metrics: str) -> None:
        self.looks: list[Any] = []
        self.news: dict[str, Any] = {}
        self.feed = ServerFeed(
            url,
            [parse_server_metric(metric) for metric in metrics],
            False,
            self.looks.append,
            lambda news: self.news.update(news["server_metrics"]),
            SteadyWallClock.read(time.time, time.monotonic),
        )


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with MetricsServer() as made:
        yield made


def test_known_metrics_are_kept_where_none_is_named(server: MetricsServer) -> None:
    kept = Kept(server.url)
    kept.feed.look()
    assert kept.looks[0]["values"] == {'vllm:num_requests_running{model_name="a"}': 3.0, "process_open_fds": 12.0}
    assert abs(kept.looks[0]["t"] - time.time()) < 60
    assert kept.news["metrics"] == ["vllm:num_requests_running", "process_open_fds"]


def test_those_that_are_named_are_kept_and_no_other(server: MetricsServer) -> None:
    kept = Kept(server.url, "unknown", "absent:rate")
    kept.feed.look()
    assert kept.looks[0]["values"] == {"unknown": 1.0}
    assert kept.news["metrics"] == ["unknown", "absent:rate"]


def test_no_credentials_are_sent_but_those_of_its_url(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_API_KEY", "key-of-the-server")
    monkeypatch.setenv("STT_LOAD_HEADERS", "X-Tenant=acme")
    Kept(server.url).feed.look()
    Kept(server.url.replace("//", "//me:secret@")).feed.look()
    plain, with_password = server.requests
    assert "Authorization" not in plain and "X-Tenant" not in plain
    assert with_password["Authorization"].startswith("Basic ")


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    piece = b"junk" * 65_536
    try:
        while True:
            handler.wfile.write(piece)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (say(b"", 404), "it answers 404"),
        (say(b"", 302, Location="http://127.0.0.1:1/"), "it answers 302"),
        (say(GOOD, **{"Content-Length": "10000"}), "its answer can't be read"),
        (endless, "its answer is longer than 8 MiB"),
    ],
    ids=["no such page", "a redirect is not followed", "it breaks off", "it has no end"],
)
def test_an_answer_that_is_none_costs_its_look_and_one_warning(
    server: MetricsServer, fault: Answer, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(server.url)
    server.answer = fault
    with caplog.at_level(logging.WARNING, logger="stt_load"):
        kept.feed.look()
        kept.feed.look()
    server.answer = say(GOOD)
    kept.feed.look()
    assert len(kept.looks) == 1
    lines = [entry.getMessage() for entry in caplog.records]
    (line,) = [line for line in lines if line.startswith("server metrics")]  # greenlets of other tests may speak too
    assert line.startswith(f"server metrics at {server.url}: {why}")
    kept.feed.start()
    kept.feed.stop()
    assert (kept.news["failed"], kept.news["why"].startswith(why)) == (2, True)


def test_rubbish_is_no_sample(server: MetricsServer) -> None:
    server.answer = say(b'\xff\xfe\x00queue\nunknown {\nunknown{a="b 1\nunknown nan\n' + b"unknown 2")
    kept = Kept(server.url, "unknown")
    kept.feed.look()
    assert kept.looks[0]["values"] == {"unknown": 2.0}


def test_secrets_of_the_url_are_in_no_line(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(f"http://me:secret@127.0.0.1:{free_port()}/metrics?token=abcdef")
    with caplog.at_level(logging.DEBUG, logger="stt_load"):
        kept.feed.look()
    kept.feed.start()
    kept.feed.stop()
    assert "nothing answers there" in caplog.text
    assert "secret" not in caplog.text + str(kept.news)
    assert "abcdef" not in caplog.text + str(kept.news)


def test_what_was_asked_for_and_never_there_is_told(server: MetricsServer, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(server.url, "unknown", "absent:rate")
    kept.feed.look()
    kept.feed.start()
    with caplog.at_level(logging.WARNING, logger="stt_load"):
        kept.feed.stop()
    assert [entry.getMessage() for entry in caplog.records] == [
        f"server metrics at {server.url}: it never had absent:rate"
    ]

"""Heads of answers that have no end, to the clients that ask with `requests`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from raw_server import DEADLINE_S, Caller, raw_server

from stt_load.net import direct_session
from stt_load.net.direct_session import MAX_HEAD_LINES, DirectSession, HeadTooLong

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
HEADS = {
    "100 Continue": (b"", CONTINUE * 1_000),
    "headers": (OK, b"X: yes\r\n" * 1_000),
    "one header": (OK, b"x" * 65_536),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_without_an_end_is_cut_off(name: str) -> None:
    begin, piece = HEADS[name]

    def flood(caller: Caller) -> None:
        caller.read_request()
        caller.send(begin)
        while True:
            caller.send(piece)

    with raw_server(flood) as server, pytest.raises(HeadTooLong, match="the head of its answer has no end"):
        DirectSession().get(server.url.replace("ws", "http", 1), timeout=DEADLINE_S, stream=True)


def test_a_head_that_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out of `requests` begins again with each piece."""
    monkeypatch.setattr(direct_session, "HEAD_LIMIT_S", 0.05)

    def drip(caller: Caller) -> None:
        caller.read_request()
        caller.send(OK)
        while True:
            caller.send(b"X: y\r\n")
            caller.socket.settimeout(0.02)
            try:
                caller.socket.recv(1)
            except TimeoutError:
                continue

    with raw_server(drip) as server, pytest.raises(HeadTooLong, match=r"the head of its answer took more than 0\.05 s"):
        DirectSession().get(server.url.replace("ws", "http", 1), timeout=DEADLINE_S, stream=True)


@pytest.mark.parametrize("n_interim", [0, 1, MAX_HEAD_LINES // 2 - 2])
def test_an_answer_behind_others_is_read(n_interim: int) -> None:
    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.send(CONTINUE * n_interim + OK + b"Content-Length: 2\r\n\r\nhi")
        caller.wait_for_end()

    with raw_server(answer) as server, DirectSession() as session:
        assert session.get(server.url.replace("ws", "http", 1), timeout=DEADLINE_S).content == b"hi"


_OTHERS_HAVE_THEIR_TURN = """\
from gevent import monkey; monkey.patch_all()
import sys, time, gevent
from stt_load.clock import SteadyWallClock
from stt_load.run.server_feed import ServerFeed
from stt_load.sidecar.client import SidecarClient

url = sys.argv[1]
feed = ServerFeed(url, [], False, print, lambda news: None, SteadyWallClock.read(time.time, time.monotonic))
asking = [gevent.spawn(feed.look), gevent.spawn(SidecarClient(url).pull)]
gevent.joinall(asking, timeout=30)
print([greenlet.successful() for greenlet in asking])
"""


def test_a_sidecar_and_metrics_that_flood_end_under_gevent() -> None:
    """`http.client` alone would pass over `100 Continue` for ever, and no greenlet, so no time-out, had its turn."""

    def flood(caller: Caller) -> None:
        caller.read_request()
        while True:
            caller.send(CONTINUE * 1_000)

    with raw_server(flood) as server:
        line = [sys.executable, "-c", _OTHERS_HAVE_THEIR_TURN, server.url.replace("ws", "http", 1)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[True, True]\n"
    assert done.stderr.count("the head of its answer has no end") == 2, done.stderr

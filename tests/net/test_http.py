"""A POST over a real socket: its timings, and its answer piece by piece. Every way to fail is in test_upload.py."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from raw_server import DEADLINE_S, Caller, raw_server

from stt_load.errors import ConnectionLost, FailureReported, UpgradeRefused
from stt_load.net.http import HttpClient, HttpPost


def post_to(url: str, body: bytes = b"hello") -> HttpPost:
    return HttpClient(url.replace("ws://", "http://"), {"X-Who": "me"}, DEADLINE_S, 1 << 20).post(body, "text/plain")


def test_every_instant_is_there_in_its_order_and_pieces_have_theirs() -> None:
    goes_on = threading.Event()

    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\nX-Kind: test\r\nContent-Length: 6\r\n\r\none")
        assert goes_on.wait(DEADLINE_S)
        caller.send(b"two")
        caller.wait_for_end()

    pieces: list[tuple[float, bytes]] = []
    with raw_server(answer) as server, post_to(server.url) as post:
        assert (post.dialled_at_s, post.connected_at_s, post.sent_at_s, post.ended_at_s) == (None,) * 4
        assert post.connect_s is None
        post.send()
        assert post.headers["x-kind"] == "test"
        assert post.ended_at_s is None
        for piece in post:
            pieces.append(piece)
            goes_on.set()
    assert b"".join(data for _, data in pieces) == b"onetwo"
    assert len(pieces) == 2
    instants = (post.dialled_at_s, post.connected_at_s, post.sent_at_s)
    assert all(earlier is not None and later is not None and earlier <= later for earlier, later in pairwise(instants))
    assert pieces[0][0] < pieces[1][0] == post.ended_at_s
    assert post.since_start_s(post.connected_at_s) == 0.0
    assert post.stamp == "kernel"
    (caller,) = server.callers
    assert "X-Who: me" in caller.request


def test_a_request_that_is_refused_keeps_the_instants_that_it_had() -> None:
    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nfull")
        caller.wait_for_end()

    with raw_server(refuse) as server, post_to(server.url) as post, pytest.raises(UpgradeRefused, match="full"):
        post.send()
    assert post.connect_s is not None and post.sent_at_s is not None
    assert post.ended_at_s is None


def test_a_request_to_nobody_knows_when_it_was_dialled() -> None:
    with raw_server(lambda caller: None) as server:
        url = server.url
    with post_to(url) as post, pytest.raises(UpgradeRefused):
        post.send()
    assert post.dialled_at_s is not None
    assert post.connected_at_s is post.connect_s is None


def test_a_failure_of_the_server_and_a_lost_connection_are_told_apart() -> None:
    def fail(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        caller.wait_for_end()

    def leave(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")

    with raw_server(fail) as server, post_to(server.url) as post, pytest.raises(FailureReported):
        post.send()
    with raw_server(leave) as server, post_to(server.url, b"") as post:
        post.send()
        with pytest.raises(ConnectionLost):
            list(post)
    assert post.ended_at_s is None


def test_a_request_that_the_server_stops_reading_was_not_sent() -> None:
    def leave(caller: Caller) -> None:
        caller.read_request()  # closed with the rest of it unread, so the kernel resets the connection

    with raw_server(leave) as server, post_to(server.url, bytes(64 << 20)) as post, pytest.raises(ConnectionLost):
        post.send()
    assert post.connected_at_s is not None
    assert post.sent_at_s is None

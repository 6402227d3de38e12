"""A POST over a real socket: its timings, and its answer piece by piece. Every way to fail is in test_upload.py."""

from __future__ import annotations

import socket
import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import DEADLINE_S, Caller, raw_server

from stt_load.errors import ConnectionLost, FailureReported, ProtocolError, UpgradeRefused
from stt_load.net import http, sockets
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


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_a_refusal_in_mid_upload_is_heard_from_a_server_that_neither_reads_nor_closes(is_tls: bool) -> None:
    is_over = threading.Event()

    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 413 Too much\r\nContent-Length: 8\r\n\r\ntoo long")
        is_over.wait(DEADLINE_S)

    with raw_server(refuse, is_tls) as server:
        client = HttpClient(server.url.replace("ws", "http", 1), {}, DEADLINE_S, 1 << 20, checks_certificate=False)
        with client.post(bytes(64 << 20), "text/plain") as post, pytest.raises(UpgradeRefused, match="too long"):
            post.send()
        is_over.set()
    assert post.sent_at_s is None


def test_what_a_server_says_before_it_has_heard_everything_is_no_end_of_the_upload() -> None:
    """Answers before the answer, and the beginning of one, while it keeps the rest of the request waiting."""
    body = bytes(range(256)) * (64 << 10)

    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        caller.read_body(len(body))
        caller.send(b"two")
        caller.wait_for_end()

    with raw_server(answer) as server, post_to(server.url, body) as post:
        post.send()
        assert post.sent_at_s is not None
        assert b"".join(data for _, data in post) == b"onetwo"


def test_an_answer_that_never_ends_is_cut_off_and_others_have_their_turn_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns: list[float] = []
    monkeypatch.setattr(time, "sleep", turns.append)

    def babble(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            caller.send((b"1;" + b"x" * 1_000 + b"\r\nx\r\n") * 60)  # until the caller has left

    with (
        raw_server(babble) as server,
        post_to(server.url, b"") as post,
        pytest.raises(ProtocolError, match="the server floods: an answer of more than"),
    ):
        post.send()
        list(post)
    assert set(turns) == {0}
    assert len(turns) > 2 << 20 >> 14  # one for each 16 KiB


def test_the_reason_of_a_refusal_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REASON_TIMEOUT_S", 0.1)

    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 401 No\r\n\r\nno such")
        caller.send(b" key")
        caller.wait_for_end()

    with raw_server(refuse) as server, post_to(server.url) as post, pytest.raises(UpgradeRefused, match="no such key"):
        post.send()


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_answers_before_the_answer_are_passed_over(status: bytes) -> None:
    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 %b\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" % status)
        caller.wait_for_end()

    with raw_server(answer) as server, post_to(server.url) as post:
        post.send()
        assert [data for _, data in post] == [b"one"]


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"HTTP/1.1 307 There\r\nLocation: /v2\r\nContent-Length: 0", "HTTP 307: redirected to http://localhost:"),
        (b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nZZ", "HTTP 403"),
        (b"SSH-2.0-OpenSSH", "no HTTP answer but 'SSH-2.0-OpenSSH'"),
    ],
)
def test_a_refusal_is_told_whatever_comes_behind_it(head: bytes, why: str) -> None:
    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(head + b"\r\n\r\n")
        caller.wait_for_end()

    with raw_server(refuse) as server, post_to(server.url) as post, pytest.raises(UpgradeRefused, match=why):
        post.send()


@given(data=st.data())
@settings(max_examples=25)
def test_an_answer_is_the_same_however_it_is_sent(data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=2_000))
    ways = {
        "length": b"Content-Length: %d\r\n\r\n" % len(body) + body,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n"
        % (b"%x\r\n%b\r\n" % (len(body), body) if body else b""),
        "end": b"\r\n" + body,
    }
    sent = b"HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 OK\r\n" + data.draw(st.sampled_from(sorted(ways.items())))[1]
    places = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))

    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in pairwise([0, *places, len(sent)]):
            caller.send(sent[start:end])

    with raw_server(answer) as server, post_to(server.url, b"") as post:
        post.send()
        pieces = list(post)
    assert b"".join(piece for _, piece in pieces) == body
    arrivals = [at_s for at_s, _ in pieces]
    assert arrivals == sorted(arrivals)
    assert post.ended_at_s is not None and all(at_s <= post.ended_at_s for at_s in arrivals)


def test_a_server_that_leaves_without_a_word_may_want_tls() -> None:
    def leave(caller: Caller) -> None:
        caller.read_request()

    why = "; servers with TLS do so too: write https:// if it has it"
    with raw_server(leave) as server, post_to(server.url) as post, pytest.raises(ConnectionLost, match=why):
        post.send()


def test_an_answer_that_is_compressed_unasked_is_said_to_be() -> None:
    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b")
        caller.wait_for_end()

    why = "compressed, which nobody asked for: gzip"
    with raw_server(answer) as server, post_to(server.url) as post, pytest.raises(ProtocolError, match=why):
        post.send()


@pytest.mark.parametrize(("has_stamps", "late_s"), [(True, None), (False, 0.6)])
def test_an_answer_without_stamps_of_the_kernel_says_how_late_it_may_be(
    monkeypatch: pytest.MonkeyPatch, has_stamps: bool, late_s: float | None
) -> None:
    class HeldUp:
        def late_s(self, now_s: float, waited_since_s: float) -> float:
            assert now_s >= waited_since_s
            return 0.6

    monkeypatch.setattr(sockets, "heartbeat", HeldUp)
    if not has_stamps:
        monkeypatch.setattr(sockets, "kernel_stamps", lambda: False)

    def answer(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
        caller.wait_for_end()

    with raw_server(answer) as server, post_to(server.url) as post:
        assert post.arrival_late_s is None
        post.send()
        assert [data for _, data in post] == [b"one"]
    assert (post.stamp, post.arrival_late_s) == ("kernel" if has_stamps else "read", late_s)

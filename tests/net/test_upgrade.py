"""The upgrade, answered by a library's server, in whatever pieces the answer comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.http11 import Request
from websockets.server import ServerProtocol

from stt_load.dialects.base import Connect
from stt_load.errors import UpgradeRefused
from stt_load.net.upgrade import Upgrade

URL = "ws://server:2700/asr?lang=en"


def request_of(target: Connect) -> Request:
    """The request as a server understands it."""
    request, _ = answer_of(ServerProtocol(), Upgrade(target))
    return request


def answer_of(server: ServerProtocol, upgrade: Upgrade) -> tuple[Request, bytes]:
    """The request as `server` understands it, and its answer."""
    server.receive_data(upgrade.request)
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    return request, b"".join(server.data_to_send())


@given(cuts=st.lists(st.integers(1, 40), max_size=20), rest=st.binary(max_size=10))
def test_a_server_accepts_it_and_its_answer_may_come_in_pieces(cuts: list[int], rest: bytes) -> None:
    upgrade = Upgrade(Connect(URL))
    request, answer = answer_of(ServerProtocol(), upgrade)
    assert (request.path, request.headers["Host"]) == ("/asr?lang=en", "server:2700")
    for n_bytes in cuts:
        piece, left = answer[:n_bytes], answer[n_bytes:]
        if not left:
            break
        assert upgrade.feed(piece) is None
        answer = left
    assert upgrade.feed(answer + rest) == rest


@pytest.mark.parametrize(
    ("url", "path", "host", "origin"),
    [
        ("ws://server", "/", "server", "http://server"),
        ("wss://server:443/a", "/a", "server", "https://server"),
        ("wss://server:80/a", "/a", "server:80", "https://server:80"),
        ("ws://[::1]:2700/", "/", "[::1]:2700", "http://[::1]:2700"),
        ("ws://user:secret@server/", "/", "server", "http://server"),
    ],
)
def test_the_request_names_path_and_host(url: str, path: str, host: str, origin: str) -> None:
    request = request_of(Connect(url))
    assert (request.path, request.headers["Host"], request.headers["Origin"]) == (path, host, origin)


def test_headers_and_subprotocols_are_offered() -> None:
    request = request_of(Connect(URL, {"Authorization": "Token abc"}, ("binary", "base64")))
    assert request.headers["Authorization"] == "Token abc"
    assert request.headers["Sec-WebSocket-Protocol"] == "binary, base64"


def test_every_request_has_a_key_of_its_own() -> None:
    keys = {request_of(Connect(URL)).headers["Sec-WebSocket-Key"] for _ in range(20)}
    assert len(keys) == 20


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (SWITCHING + b"\r\n", "HTTP 101 without the headers of one"),
        (SWITCHING + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "not an answer to this request's key"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nall taken", "HTTP 503 at the upgrade: all taken"),
        (
            b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nnot yours\r\n0\r\n\r\n",
            "HTTP 403 at the upgrade: not yours",
        ),
        (b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", "HTTP 301 at the upgrade: a redirect without Location"),
        (b"RTSP/1.0 200 OK\r\n\r\n", "no HTTP answer but 'RTSP/1.0 200 OK'"),
        (b"", "it was closed by the server; servers with TLS do so too: write wss:// if it has it"),
        (b"HTTP/1.1 ", "it was closed by the server"),
        (b"HTTP/1.0 503\r\n\r\nall taken\nmore", "HTTP 503 at the upgrade: all taken more"),
        (
            b'HTTP/1.1 400 No\r\nContent-Length: 90\r\n\r\n{\n "detail": "why',
            'HTTP 400 at the upgrade: { "detail": "why',
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000, "HTTP 200 at the upgrade: xxx"),
        (b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nbad", "HTTP 403 at the upgrade"),
    ],
)
def test_any_other_answer_is_refused_with_what_it_says(answer: bytes, why: str) -> None:
    for pieces in ([answer], [answer[k : k + 1] for k in range(len(answer))]):
        upgrade = Upgrade(Connect(URL))
        with pytest.raises(UpgradeRefused) as caught:
            for piece in [*pieces, b""]:
                upgrade.feed(piece)
        assert why in str(caught.value)


def test_an_extension_that_nobody_asked_for_is_refused() -> None:
    upgrade = Upgrade(Connect(URL))
    _, answer = answer_of(ServerProtocol(), upgrade)
    with_extension = answer.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    with pytest.raises(UpgradeRefused, match="an extension that nobody asked for"):
        upgrade.feed(with_extension)


def test_the_body_of_a_refusal_is_waited_for() -> None:
    upgrade = Upgrade(Connect(URL))
    assert upgrade.feed(b"HTTP/1.1 429 Slow\r\nContent-Length: 9\r\n\r\nall ") is None
    with pytest.raises(UpgradeRefused, match="HTTP 429 at the upgrade: all taken") as caught:
        upgrade.feed(b"taken")
    assert caught.value.status == 429

"""The first bytes of a connection, against a client of another library."""

from __future__ import annotations

import pytest
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from stt_load.server.sink_request import BadRequest, HealthRequest, Upgrade, read_request

UPGRADE = (
    b"GET /any/path?x=1 HTTP/1.1\r\nHost: here\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_the_library_takes_the_upgrade_for_one() -> None:
    client = ClientProtocol(parse_uri("ws://127.0.0.1:2700/"))
    client.send_request(client.connect())
    request = read_request(b"".join(client.data_to_send()))
    assert isinstance(request, Upgrade)
    client.receive_data(request.answer)
    assert client.state is OPEN


def test_what_comes_behind_the_request_is_kept() -> None:
    request = read_request(UPGRADE + b"frames")
    assert isinstance(request, Upgrade) and request.rest == b"frames"
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in request.answer  # RFC 6455, section 1.3


def test_a_part_of_a_request_is_none_yet() -> None:
    assert all(read_request(UPGRADE[:n]) is None for n in range(len(UPGRADE)))


@pytest.mark.parametrize("target", ["/healthz", "/healthz?again"])
def test_the_question_about_health(target: str) -> None:
    assert read_request(f"GET {target} HTTP/1.1\r\n\r\n".encode()) == HealthRequest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET ", b"POST "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"WebSocket\r", b"h2c\r"),
        (b", Upgrade", b""),
        (b"Version: 13", b"Version: 8"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ=="),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"no base 64"),
        (b"Sec-WebSocket-Key", b"X-Key"),
    ],
)
def test_an_upgrade_with_a_fault_is_refused(old: bytes, new: bytes) -> None:
    request = read_request(UPGRADE.replace(old, new))
    assert isinstance(request, BadRequest) and request.answer.startswith(b"HTTP/1.1 400 ")


def test_a_request_without_end_is_refused() -> None:
    assert isinstance(read_request(b"GET /" + b"x" * 20_000), BadRequest)

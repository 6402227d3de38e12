"""What a server says that refuses a request, in its own words and on one line."""

from __future__ import annotations

import pytest

from stt_load.errors import FailureReported, ProtocolError, UpgradeRefused
from stt_load.session.http_status import fault_of_status, one_line, refused_upgrade

URL = "http://server:8000/v1/audio/transcriptions/"
SOCKET_URL = "ws://server:8000/asr"
NGINX = (
    b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n"
    b"<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>"
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"detail":"Voice file \'x\' not found."}', "Voice file 'x' not found."),
        (
            b'{"detail":[{"loc":["body","text"],"msg":"Field required"},{"msg":"no"},{"loc":7,"msg":"odd"}]}',
            "body.text: Field required; no; odd",
        ),
        (b'{"error":{"message":"no such model"}}', "no such model"),
        (
            b'{\n  "err_code": "INVALID",\n  "err_msg": "no nova-9"\n}',
            '{ "err_code": "INVALID", "err_msg": "no nova-9" }',
        ),
        (b"Bad\n  Request", "Bad Request"),
        (b"\x1b[31mred\x07", r"\x1b[31mred\x07"),
        (b"[1]", "[1]"),
        (b"x" * 5_000, "x" * 200),
        (b"[" * 50_000, "[" * 200),
        (b"\xef\xbb\xbfno model", "no model"),
        (b"<html><body><h1>Bad &amp; Gateway</h1>\n<p>nginx</p></body></html>", "Bad & Gateway nginx"),
        (b"<!DOCTYPE html><title>Not Found</title><style>body{}</style>", "Not Found"),
        (b"<" * 60_000, "<" * 200),
    ],
    ids=lambda value: str(value[:30]),
)
def test_a_refusal_is_told_in_the_servers_own_words(body: bytes, reason: str) -> None:
    assert str(fault_of_status(400, {}, body, URL)) == f"HTTP 400: {reason}"
    assert str(refused_upgrade(400, {}, body, SOCKET_URL)) == f"HTTP 400 at the upgrade: {reason}"


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b""), ({}, b" \r\n"), ({"content-encoding": "gzip"}, b"\x1f\x8b\x08\x00")],
)
def test_a_refusal_without_a_reason_is_its_status(headers: dict[str, str], body: bytes) -> None:
    assert str(fault_of_status(500, headers, body, URL)) == "HTTP 500"


@pytest.mark.parametrize(
    ("charset", "told"), [("gbk", "模型不存在"), ('"GBK"', "模型不存在"), ("no-such-thing", "ģ"), ("hex", "ģ")]
)
def test_a_reason_is_read_in_its_own_letters(charset: str, told: str) -> None:
    body = "模型不存在".encode("gbk")
    assert told in str(fault_of_status(400, {"content-type": f"text/plain; charset={charset}"}, body, URL))


@pytest.mark.parametrize(
    ("url", "said"), [(URL, "; write https:// instead of http://"), (SOCKET_URL, "; write wss:// instead of ws://")]
)
def test_a_server_that_wants_tls_is_told_with_what_to_type(url: str, said: str) -> None:
    for body in (NGINX, b"Client sent an HTTP request to an HTTPS server.\n"):
        assert str(fault_of_status(400, {}, body, url)).endswith(said)
    assert "write" not in str(fault_of_status(400, {}, NGINX, url.replace("://", "s://")))


@pytest.mark.parametrize("body", [b"", b"<title>401 Authorization Required</title>"])
def test_who_wants_a_user_and_a_password_is_told_where_they_go(body: bytes) -> None:
    fault = refused_upgrade(401, {"www-authenticate": 'Basic realm="stt"'}, body, SOCKET_URL)
    assert str(fault).startswith("HTTP 401 at the upgrade: ")
    assert str(fault).endswith("it wants a user and a password: ws://USER:PASSWORD@HOST/")
    assert "PASSWORD" not in str(refused_upgrade(401, {"www-authenticate": "Bearer"}, body, SOCKET_URL))


@pytest.mark.parametrize(
    ("url", "location", "told"),
    [
        (URL, "http://server:8000/v1/audio/transcriptions", "http://server:8000/v1/audio/transcriptions"),
        (URL, "/v2", "http://server:8000/v2"),
        (URL, "https://other.example/v1?key=secret", "https://other.example/v1?key=***"),
        ("http://me:secret@server/a", "b", "http://server/b"),
        (SOCKET_URL, "https://server/asr", "wss://server/asr"),
        (SOCKET_URL, "/asr/", "ws://server:8000/asr/"),
        (SOCKET_URL, "http://[not a url", "***"),
        (SOCKET_URL, "/a\x1b[31m", "ws://server:8000/a\\x1b[31m"),
        (SOCKET_URL, "/речь".encode().decode("latin-1"), "ws://server:8000/речь"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_told_as_it_is_to_be_typed(status: int, url: str, location: str, told: str) -> None:
    fault = fault_of_status(status, {"location": location}, b"<html>moved</html>", url)
    assert isinstance(fault, UpgradeRefused)
    assert str(fault) == f"HTTP {status}: redirected to {told}; use that URL"
    assert str(refused_upgrade(status, {}, b"", url)) == f"HTTP {status} at the upgrade: a redirect without Location"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, UpgradeRefused) for status in (307, 400, 401, 402, 403, 404, 407, 413, 422, 426, 429, 499, 503)),
        *((status, FailureReported) for status in (500, 501, 502, 504, 599)),
        *((status, ProtocolError) for status in (101, 304, 300)),
    ],
)
def test_a_status_is_about_the_request_or_about_the_server(status: int, kind: type) -> None:
    assert type(fault_of_status(status, {}, b"why", URL)) is kind


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert one_line("a\x1b]0;owned\x07\u202eb\r\n c\t") == r"a\x1b]0;owned\x07\u202eb c"

"""The head of a request, as two libraries' servers understand it."""

from __future__ import annotations

import h11
import pytest

from stt_load import __version__
from stt_load.session.http_request import USER_AGENT, authority, request_head


def as_a_server_reads_it(head: bytes) -> h11.Request:
    server = h11.Connection(h11.SERVER)
    server.receive_data(head)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    return request


def test_the_last_of_several_headers_is_sent_whatever_its_letters() -> None:
    head = request_head(
        "GET", "ws://server:81/a", {"User-Agent": "a", "X-B": "1"}, {"user-agent": "mine"}, {"X-C": "é"}
    )
    assert head == (b"GET /a HTTP/1.1\r\nHost: server:81\r\nuser-agent: mine\r\nX-B: 1\r\nX-C: \xc3\xa9\r\n\r\n")


def test_the_user_agent_names_program_and_version() -> None:
    assert f"stt-load/{__version__}" == USER_AGENT


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("ws://server", "/"),
        ("ws://server?a=b", "/?a=b"),
        ("ws://server/a/?q=1&q=%2F+x#f", "/a/?q=1&q=%2F+x"),
        ("ws://server/речь?hotwords=阿", "/%D1%80%D0%B5%D1%87%D1%8C?hotwords=%E9%98%BF"),
        ("ws://server/%D1%80", "/%D1%80"),
        ('ws://server/a"<b>{c}|^`\\', "/a%22%3Cb%3E%7Bc%7D%7C%5E%60%5C"),
        ("ws://server/\x00\x7f", "/%00%7F"),
    ],
)
def test_the_request_line_is_ascii(url: str, target: str) -> None:
    assert as_a_server_reads_it(request_head("GET", url)).target == target.encode()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://me:secret@server/", "server"),
        ("wss://server:443/", "server"),
        ("wss://server:80/", "server:80"),
        ("http://[::1]:8000/", "[::1]:8000"),
    ],
)
def test_host_is_without_user_and_without_the_usual_port(url: str, host: str) -> None:
    assert authority(url) == host
    assert (b"host", host.encode()) in as_a_server_reads_it(request_head("GET", url)).headers

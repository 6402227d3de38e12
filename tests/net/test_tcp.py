"""Opening a TCP connection, step by step, and the names that lead to one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fakes import FakeClock
from raw_server import DEADLINE_S, SELF_SIGNED, Caller, raw_server

from stt_load.errors import UpgradeRefused
from stt_load.net import resolver
from stt_load.net.resolver import Endpoint, resolve
from stt_load.net.tcp import TcpConnect, dial, tls_context
from stt_load.net.transport import Need


class LookUps:
    """Stands for the resolver of the system, which no test can make slow, moved or broken."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.found = [(socket.AF_INET, ("192.0.2.1", 80))]

    def __call__(self, host: str, port: int, type: int) -> list[tuple[object, ...]]:
        self.asked.append((host, port))
        if not self.found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, type, 0, "", address) for family, address in self.found]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(resolver.time, "monotonic", clock)
    return clock


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> LookUps:
    look_ups = LookUps()
    monkeypatch.setattr(resolver, "_known", {})
    monkeypatch.setattr(resolver.socket, "getaddrinfo", look_ups)
    return look_ups


@pytest.fixture
def full_port() -> Iterator[int]:
    """A listener whose queue is full: it answers no more, as a firewall doesn't."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            yield full.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


def test_a_name_is_looked_up_once_in_thirty_seconds_and_followed_after(clock: FakeClock, look_ups: LookUps) -> None:
    first = resolve("ws://server.example/a")
    clock.move_to(clock() + 29.0)
    assert resolve("ws://server.example/b") is first
    look_ups.found = [(socket.AF_INET, ("192.0.2.2", 80))]
    clock.move_to(clock() + 2.0)
    assert resolve("ws://server.example/a").addresses == ((socket.AF_INET, ("192.0.2.2", 80)),)
    assert look_ups.asked == [("server.example", 80)] * 2


@pytest.mark.parametrize(
    ("url", "asked", "is_tls"),
    [
        ("ws://server.example", ("server.example", 80), False),
        ("wss://server.example", ("server.example", 443), True),
        ("https://server.example:8443/v1", ("server.example", 8443), True),
    ],
)
def test_a_url_names_host_port_and_tls(look_ups: LookUps, url: str, asked: tuple[str, int], is_tls: bool) -> None:
    endpoint = resolve(url)
    assert look_ups.asked == [asked]
    assert (endpoint.host, endpoint.port, endpoint.is_tls) == (*asked, is_tls)


def test_a_name_that_leads_nowhere_is_refused_and_looked_up_again(look_ups: LookUps) -> None:
    found, look_ups.found = look_ups.found, []
    with pytest.raises(UpgradeRefused) as caught:
        resolve("ws://server.example/")
    assert str(caught.value) == "no TCP connection to server.example:80: Name or service not known"
    look_ups.found = found
    assert resolve("ws://server.example/").addresses == tuple(found)


def test_the_next_address_is_tried_where_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as refusing:
        addresses = [(socket.AF_INET, refusing.getsockname()), (socket.AF_INET, listener.getsockname())]
        refusing.close()
        endpoint = Endpoint("server", 80, False, tuple(addresses))
        monkeypatch.setattr("stt_load.net.tcp.resolve", lambda _: endpoint)
        with closing(TcpConnect("ws://server/")) as connect:
            while connect.advance() is not None:
                pass
            assert connect.socket.getpeername() == listener.getsockname()


def test_an_open_connection_sends_small_messages_at_once() -> None:
    """Nagle's algorithm would keep a frame until the one before is acknowledged."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        opened = dial(f"ws://127.0.0.1:{listener.getsockname()[1]}/", time.monotonic() + DEADLINE_S)
        with closing(opened):
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert opened.gettimeout() == 0.0


def refusal_of(behave: Callable[[Caller], None], certificate: Path | None = None) -> str:
    """Why there is no TLS with a server that behaves like this."""
    with (
        raw_server(behave, certificate is not None, certificate or SELF_SIGNED) as server,
        pytest.raises(UpgradeRefused) as caught,
    ):
        dial(server.url.replace("ws://", "wss://"), time.monotonic() + DEADLINE_S)
    said, _, why = str(caught.value).partition(f"localhost:{server.port}: ")
    assert said == "no TLS with "
    return why


def greets(data: bytes) -> Callable[[Caller], None]:
    def greet(caller: Caller) -> None:
        caller.socket.recv(65_536)
        caller.send(data)
        caller.wait_for_end()

    return greet


def hang_up(caller: Caller) -> None:
    caller.socket.recv(65_536)


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (SELF_SIGNED, "self-signed certificate; set SSL_CERT_FILE to the certificate of its authority"),
        ("expired.pem", "certificate has expired; the server needs a new one"),
        (
            "other_name.pem",
            "Hostname mismatch, certificate is not valid for 'localhost'; write the name that it was made for",
        ),
    ],
)
def test_a_certificate_that_does_not_do_is_told_with_what_helps(
    certificate: Path | str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = SELF_SIGNED.parent / certificate
    if path != SELF_SIGNED:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls_context.cache_clear()
    try:
        assert refusal_of(hang_up, path) == f"{why}; --insecure takes any certificate"
    finally:
        tls_context.cache_clear()


def test_an_authority_of_ones_own_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
    tls_context.cache_clear()
    try:
        with raw_server(hang_up, is_tls=True) as server:
            dial(server.url, time.monotonic() + DEADLINE_S).close()
    finally:
        tls_context.cache_clear()


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n"])
def test_a_server_without_tls_is_told_with_what_to_type(data: bytes) -> None:
    assert refusal_of(greets(data)).endswith("without it: write ws:// instead of wss://")


@pytest.mark.parametrize("behave", [hang_up, lambda caller: (caller.socket.recv(10), caller.reset())])
def test_a_server_that_hangs_up_instead_of_a_handshake_may_have_no_tls(behave: Callable[[Caller], None]) -> None:
    assert refusal_of(behave).startswith("the server ended the connection instead; if it has none, write ws://")


def test_a_connection_under_way_waits_to_become_writable(full_port: int) -> None:
    with closing(TcpConnect(f"ws://127.0.0.1:{full_port}/")) as connect:
        assert connect.advance() is Need.WRITABLE
        assert connect.missing_step == f"no TCP connection to 127.0.0.1:{full_port}"

"""What fails for a reason of this machine's own is told apart from what the server does."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable

import pytest

from stt_load.errors import GeneratorFailure, Outcome, UpgradeRefused
from stt_load.net import resolver
from stt_load.net.own_faults import OWN_ERRORS, fault_of, own_cause
from stt_load.net.resolver import resolve
from stt_load.net.tcp import TcpConnect
from stt_load.session.outcomes import ending_of_request

OTHERWISE = UpgradeRefused("refused")


def os_error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", OWN_ERRORS)
def test_an_error_of_this_machine_is_told_with_what_to_do_and_counted_apart(code: int) -> None:
    fault = fault_of(os_error(code), "no TCP connection", OTHERWISE)
    assert str(fault).startswith(f"no TCP connection: {os.strerror(code)}: ")
    assert "{" not in str(fault)
    ending = ending_of_request(fault)
    assert (ending.outcome, ending.refusal, ending.is_own_fault) == (Outcome.INTERRUPTED, None, True)


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ECONNREFUSED),
        os_error(errno.ECONNRESET),
        os_error(errno.EHOSTUNREACH),
        os_error(errno.ETIMEDOUT),
        ssl.SSLError(errno.EPERM, "[SSL] an error of TLS, whose numbers mean something else"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        OSError("without a number"),
    ],
)
def test_an_error_of_the_server_or_its_network_is_none(error: OSError) -> None:
    assert own_cause(error) is None
    assert fault_of(error, "no TCP connection", OTHERWISE) is OTHERWISE


def test_the_limits_are_told_in_numbers() -> None:
    ports, descriptors = own_cause(os_error(errno.EADDRNOTAVAIL)), own_cause(os_error(errno.EMFILE))
    assert ports is not None and "sysctl -w" in ports
    assert descriptors is not None and "ulimit -n" in descriptors and any(map(str.isdigit, descriptors))


class WithoutPorts(socket.socket):
    """A socket that gets no port, as on a machine whose ports are all taken."""

    def connect_ex(self, address: object) -> int:
        return errno.EADDRNOTAVAIL


class WithoutDescriptors:
    def __call__(self, family: int, kind: int) -> socket.socket:
        raise os_error(errno.EMFILE)


@pytest.mark.parametrize("make_socket", [WithoutPorts, WithoutDescriptors()], ids=["ports", "descriptors"])
def test_a_connection_for_which_this_machine_has_nothing_left_is_no_refusal(
    make_socket: Callable[[int, int], socket.socket],
) -> None:
    with pytest.raises(GeneratorFailure, match=r"no TCP connection to 127\.0\.0\.1:9"):
        TcpConnect("ws://127.0.0.1:9/", make_socket=make_socket).advance()


def test_a_name_server_that_fails_is_ours_and_what_it_said_before_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[object] = [
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 80))],
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    ]

    def look_up(*_: object, **__: object) -> object:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(resolver, "_known", {})
    monkeypatch.setattr(resolver, "_LOOK_UP_AGAIN_S", -1.0)
    monkeypatch.setattr(resolver.socket, "getaddrinfo", look_up)
    with pytest.raises(GeneratorFailure, match="the name server of this machine fails"):
        resolve("ws://stt.test/")
    found = resolve("ws://stt.test/")
    for _ in range(2):
        assert resolve("ws://stt.test/") is found
    with pytest.raises(UpgradeRefused, match="Name or service not known"):
        resolve("ws://stt.test/")
    assert answers == []

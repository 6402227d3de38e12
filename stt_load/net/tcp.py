"""Opens the TCP or TLS connection to a server under test: step by step, or waiting for it.

Proxies that the environment names are not used: one would be measured instead of the server.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from stt_load.errors import DeadlineExceeded, HandshakeFailed, SttLoadError, UpgradeRefused
from stt_load.net.own_faults import fault_of
from stt_load.net.resolver import resolve
from stt_load.net.transport import Need
from stt_load.option_values import WITH_TLS

MakeSocket = Callable[[int, int], Any]
"""Makes a socket from a family and a type, as `socket.socket` does. Under Locust that name stands for sockets that wait
cooperatively; a pacer never waits for one, and has plain ones, which cost less."""

_POLL_EVENTS = {Need.READABLE: select.POLLIN, Need.WRITABLE: select.POLLOUT}
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY)
_CONNECTED = (0, errno.EISCONN)


@functools.cache
def tls_context(checks_certificate: bool, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """The context of all TLS connections of this process that offer these protocols (RFC 7301): making one reads every
    certificate authority from disk."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols(alpn)
    if not checks_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TcpConnect:
    """A TCP connection that is being opened, and the TLS handshake where the URL asks for one.

    Making it looks the name up, which may wait; nothing else here does. `socket` is non-blocking, and another one for
    each address that is tried. Raises UpgradeRefused, GeneratorFailure.
    """

    def __init__(
        self,
        url: str,
        checks_certificate: bool = True,
        make_socket: MakeSocket = socket.socket,
        alpn: tuple[str, ...] = (),
    ) -> None:
        self.endpoint = resolve(url)
        self._scheme = urlsplit(url).scheme
        self._checks_certificate = checks_certificate
        self._alpn = alpn
        self._make_socket = make_socket
        self._addresses = iter(self.endpoint.addresses)
        self._is_connected = False
        self._try_next_address()

    def advance(self) -> Need | None:
        """Goes on as far as it goes now. Gives what it waits for, or None when a request can be sent. Raises
        UpgradeRefused, GeneratorFailure when the last address has failed."""
        while not self._is_connected:
            code = self.socket.connect_ex(self._address)
            if code == errno.EINPROGRESS:  # begun; on the same machine it is done by now
                code = self.socket.connect_ex(self._address)
            if code in _UNDER_WAY:
                return Need.WRITABLE
            if code in _CONNECTED:
                self._on_connected()
            else:
                self.socket.close()
                self._try_next_address(OSError(code, os.strerror(code)))
        return self._handshake() if self.endpoint.is_tls else None

    @property
    def missing_step(self) -> str:
        """What has not happened yet, in words."""
        return f"no {'TLS handshake with' if self._is_connected else 'TCP connection to'} {self.endpoint}"

    def fileno(self) -> int:
        number: int = self.socket.fileno()
        return number

    def close(self) -> None:
        self.socket.close()

    def _try_next_address(self, last_error: OSError | None = None) -> None:
        """Makes a socket for the next address. `last_error`: what became of the address before."""
        family_and_address = next(self._addresses, None)
        if family_and_address is None:
            raise self._not_connected(last_error or OSError(0, "the name has no address"))
        family, self._address = family_and_address
        try:
            self.socket = self._make_socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise self._not_connected(error) from error
        self.socket.setblocking(False)

    def _not_connected(self, error: OSError) -> SttLoadError:
        text = f"no TCP connection to {self.endpoint}"
        return fault_of(error, text, UpgradeRefused(f"{text}: {error.strerror}"))

    def _on_connected(self) -> None:
        self._is_connected = True
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _handshake(self) -> Need | None:
        try:
            if not isinstance(self.socket, ssl.SSLSocket):
                self._wrap()
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return Need.READABLE
        except ssl.SSLWantWriteError:
            return Need.WRITABLE
        except OSError as error:
            text = f"no TLS with {self.endpoint}"
            raise fault_of(error, text, HandshakeFailed(f"{text}: {_tls_trouble(error, self._scheme)}")) from error
        return None

    def _wrap(self) -> None:
        context = tls_context(self._checks_certificate, self._alpn)
        self.socket = context.wrap_socket(
            self.socket, server_hostname=self.endpoint.host, do_handshake_on_connect=False
        )
        self.socket.setblocking(False)


# X509_V_ERR_… of OpenSSL's x509_vfy.h, and what helps besides --insecure.
_CERTIFICATE_ADVICE = {
    9: "check the clock of this machine",
    10: "the server needs a new one",
    **dict.fromkeys((18, 19, 20, 21), "set SSL_CERT_FILE to the certificate of its authority"),
    **dict.fromkeys((62, 64), "write the name that it was made for"),
}
_WITHOUT_TLS = {tls: plain for plain, tls in WITH_TLS.items()}
# What OpenSSL says where the server's first bytes are none of TLS.
_NO_TLS_REASONS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


def _tls_trouble(error: OSError, scheme: str) -> str:
    """Why a handshake failed, and what to type instead where that is known. `scheme`: what was typed."""
    without_tls = f"write {_WITHOUT_TLS[scheme]}:// instead of {scheme}://"
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = _CERTIFICATE_ADVICE.get(error.verify_code)
        words = (error.verify_message.rstrip("."), advice, "--insecure takes any certificate")
        return "; ".join(word for word in words if word)
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS_REASONS:
        return f"the server answers without it: {without_tls}"
    if isinstance(error, (ssl.SSLEOFError, ConnectionResetError)):
        return f"the server ended the connection instead; if it has none, {without_tls}"
    return str(error)


def dial(url: str, deadline_s: float, checks_certificate: bool = True) -> socket.socket:
    """Waits until the connection is open; gives a socket on which a request can be sent at once. `deadline_s`:
    monotonic. Raises UpgradeRefused, GeneratorFailure, DeadlineExceeded."""
    connect = TcpConnect(url, checks_certificate)
    try:
        while (need := connect.advance()) is not None:
            left_s = max(0.0, deadline_s - time.monotonic())
            poll = select.poll()
            poll.register(connect.socket, _POLL_EVENTS[need])
            if not poll.poll(1_000 * left_s):
                raise DeadlineExceeded(f"{connect.missing_step} in time")
    except BaseException:
        connect.close()
        raise
    opened: socket.socket = connect.socket
    return opened

"""Opens the TCP or TLS connection to a server under test: step by step, or waiting for it.

Proxies of the environment are not asked: one would be measured instead of the server.
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

from stt_load.errors import DeadlineExceeded, UpgradeRefused
from stt_load.net.resolver import resolve
from stt_load.net.transport import Need

MakeSocket = Callable[[int, int], Any]
"""Of a family and a type, as `socket.socket`. Under Locust that name stands for sockets that wait cooperatively; a
pacer never waits for one, and has plain ones, which cost less."""

_POLL_FOR = {Need.READABLE: select.POLLIN, Need.WRITABLE: select.POLLOUT}
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY)
_CONNECTED = (0, errno.EISCONN)


@functools.cache
def tls_context(checks_certificate: bool) -> ssl.SSLContext:
    """One for the process: building a context reads every certificate authority from disk."""
    context = ssl.create_default_context()
    if not checks_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TcpConnect:
    """A connection that is being opened. `socket`: non-blocking; the one of the latest address that was tried.

    Looks the name up, which may wait; nothing else here does. Raises UpgradeRefused.
    """

    def __init__(self, url: str, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        self.door = resolve(url)
        self._checks_certificate = checks_certificate
        self._make_socket = make_socket
        self._addresses = iter(self.door.addresses)
        self._is_connected = False
        self._connect_next()

    def advance(self) -> Need | None:
        """As far as it goes now; None when a request can be sent. Raises UpgradeRefused when the last address has
        failed."""
        while not self._is_connected:
            failed = self.socket.connect_ex(self._address)
            if failed == errno.EINPROGRESS:  # begun; on the same machine it is done by now
                failed = self.socket.connect_ex(self._address)
            if failed in _UNDER_WAY:
                return Need.WRITABLE
            if failed in _CONNECTED:
                self._on_connected()
            else:
                self.socket.close()
                self._connect_next(os.strerror(failed))
        return self._shake_hands() if self.door.is_tls else None

    @property
    def missing(self) -> str:
        """What has not happened yet."""
        return f"no {'TLS handshake with' if self._is_connected else 'TCP connection to'} {self.door}"

    def fileno(self) -> int:
        number: int = self.socket.fileno()
        return number

    def close(self) -> None:
        self.socket.close()

    def _connect_next(self, failed: str = "the name has no address") -> None:
        """At the next address. `failed`: what became of the one before."""
        knocked_at = next(self._addresses, None)
        if knocked_at is None:
            raise UpgradeRefused(f"no TCP connection to {self.door}: {failed}")
        family, self._address = knocked_at
        try:
            self.socket = self._make_socket(family, socket.SOCK_STREAM)
        except OSError as error:  # no descriptor is left
            raise UpgradeRefused(f"no TCP connection to {self.door}: {error.strerror}") from error
        self.socket.setblocking(False)

    def _on_connected(self) -> None:
        self._is_connected = True
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _shake_hands(self) -> Need | None:
        try:
            if not isinstance(self.socket, ssl.SSLSocket):
                self._wrap()
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return Need.READABLE
        except ssl.SSLWantWriteError:
            return Need.WRITABLE
        except ssl.SSLCertVerificationError as error:
            why = f"no TLS with {self.door}: {error.verify_message}; --insecure takes any certificate"
            raise UpgradeRefused(why) from error
        except OSError as error:
            raise UpgradeRefused(f"no TLS with {self.door}: {error}") from error
        return None

    def _wrap(self) -> None:
        context = tls_context(self._checks_certificate)
        self.socket = context.wrap_socket(self.socket, server_hostname=self.door.host, do_handshake_on_connect=False)
        self.socket.setblocking(False)


def dial(url: str, deadline_s: float, checks_certificate: bool = True) -> socket.socket:
    """The same for who can wait: a socket on which a request can be sent at once. `deadline_s`: monotonic.

    Raises UpgradeRefused, DeadlineExceeded.
    """
    dialling = TcpConnect(url, checks_certificate)
    try:
        while (need := dialling.advance()) is not None:
            left_s = max(0.0, deadline_s - time.monotonic())
            poll = select.poll()
            poll.register(dialling.socket, _POLL_FOR[need])
            if not poll.poll(1_000 * left_s):
                raise DeadlineExceeded(f"{dialling.missing} in time")
    except BaseException:
        dialling.close()
        raise
    opened: socket.socket = dialling.socket
    return opened

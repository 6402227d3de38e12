"""What every transport has of its socket: TCP and TLS are opened step by step, then nothing waits for the peer."""

from __future__ import annotations

import contextlib
import socket
from typing import ClassVar

from stt_load.errors import ConnectionLost, DeadlineExceeded
from stt_load.net.own_faults import loss_of
from stt_load.net.sockets import NonBlockingSocket
from stt_load.net.tcp import MakeSocket, TcpConnect
from stt_load.net.transport import Need


class SocketTransport:
    """The part of a `Transport` that is the same whatever is said over the socket. `checks_certificate` False takes any
    certificate of a server with TLS, as a self-signed one.

    For those who say something over it: `_connect` is there while TCP and TLS are being opened, `_socket` from then on.
    `_alpn`: the protocols that TLS offers.
    """

    __slots__ = ("_checks_certificate", "_connect", "_make_socket", "_socket", "has_more")

    _alpn: ClassVar[tuple[str, ...]] = ()

    def __init__(self, checks_certificate: bool = True, make_socket: MakeSocket = socket.socket) -> None:
        self._checks_certificate = checks_certificate
        self._make_socket = make_socket
        self._connect: TcpConnect | None = None
        self._socket: NonBlockingSocket | None = None
        self.has_more = False

    def _begin_connect(self, url: str) -> None:
        self._connect = TcpConnect(url, self._checks_certificate, self._make_socket, self._alpn)

    def _advance_connect(self) -> Need | None:
        """Goes on with TCP and TLS. Gives what they wait for, or None once they are open."""
        if self._connect is None:
            return None
        need = self._connect.advance()
        if need is None:
            self._socket, self._connect = NonBlockingSocket(self._connect.socket), None
        return need

    def _timeout_of(self, next_step: str) -> DeadlineExceeded:
        """The error for a connection whose opening has taken too long. `next_step`: what is missing behind TCP and
        TLS."""
        return DeadlineExceeded(f"{self._connect.missing_step if self._connect else next_step} in time")

    def flush(self) -> bool:
        try:
            return self._open_socket().flush()
        except OSError as error:
            raise loss_of(error, "connection lost while sending") from error

    def fileno(self) -> int:
        return self._open_socket().fileno() if self._connect is None else self._connect.fileno()

    def close(self) -> None:
        opened = self._connect or self._socket
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()
        self._connect = self._socket = None

    def _open_socket(self) -> NonBlockingSocket:
        if self._socket is None:
            raise ConnectionLost("not connected")
        return self._socket

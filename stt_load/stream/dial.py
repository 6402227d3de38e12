"""Opens the TCP or TLS connection to a server under test."""

from __future__ import annotations

import functools
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

from stt_load.errors import DeadlineExceeded, UpgradeRefused
from stt_load.option_values import DEFAULT_PORTS

_TLS_SCHEMES = ("wss", "https")

# A name is looked up for hundreds of callers a second, under Locust in another thread each time; a server behind a name
# that moves is followed all the same.
_LOOK_UP_AGAIN_S = 30.0
_Address = tuple[int, Any]
_addresses: dict[tuple[str, int], tuple[float, list[_Address]]] = {}


@functools.cache
def tls_context(checks_certificate: bool) -> ssl.SSLContext:
    """One for the process: building a context reads every certificate authority from disk."""
    context = ssl.create_default_context()
    if not checks_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _addresses_of(host: str, port: int, now_s: float) -> list[_Address]:
    """In the resolver's order. Raises OSError."""
    looked_up_s, addresses = _addresses.get((host, port), (0.0, []))
    if not addresses or now_s - looked_up_s > _LOOK_UP_AGAIN_S:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(family, address) for family, _, _, _, address in found]
        _addresses[host, port] = now_s, addresses
    return addresses


def _connect(addresses: list[_Address], deadline_s: float) -> socket.socket:
    """To the first that answers. Raises TimeoutError, or the OSError of the last one."""
    failed = OSError("the name has no address")
    for family, address in addresses:
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(max(0.001, deadline_s - time.monotonic()))
            raw.connect(address)
            return raw
        except OSError as error:
            raw.close()
            failed = error
    raise failed


def dial(url: str, deadline_s: float, checks_certificate: bool = True) -> socket.socket:
    """A socket on which a request can be sent at once. `deadline_s`: monotonic. Proxies of the environment are not
    asked: one would be measured instead of the server.

    Raises UpgradeRefused, DeadlineExceeded.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or DEFAULT_PORTS[parts.scheme]
    try:
        raw = _connect(_addresses_of(host, port, time.monotonic()), deadline_s)
    except TimeoutError as error:
        raise DeadlineExceeded(f"no TCP connection to {host}:{port} in time") from error
    except OSError as error:
        raise UpgradeRefused(f"no TCP connection to {host}:{port}: {error.strerror or error}") from error
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if parts.scheme not in _TLS_SCHEMES:
        return raw
    try:
        raw.settimeout(max(0.001, deadline_s - time.monotonic()))
        return tls_context(checks_certificate).wrap_socket(raw, server_hostname=host)
    except TimeoutError as error:
        raw.close()
        raise DeadlineExceeded(f"no TLS handshake with {host}:{port} in time") from error
    except ssl.SSLCertVerificationError as error:
        raw.close()
        why = f"no TLS with {host}:{port}: {error.verify_message}; --insecure takes any certificate"
        raise UpgradeRefused(why) from error
    except (ssl.SSLError, OSError) as error:
        raw.close()
        raise UpgradeRefused(f"no TLS with {host}:{port}: {error}") from error

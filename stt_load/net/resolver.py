"""Where a server's name leads, looked up again once in a while."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stt_load.errors import GeneratorFailure, SttLoadError, UpgradeRefused
from stt_load.net.own_faults import fault_of
from stt_load.option_values import DEFAULT_PORTS, SCHEMES_WITH_TLS

# A name is looked up for hundreds of callers a second, under Locust in another thread each time; a server behind a name
# that moves is followed all the same.
_LOOK_UP_AGAIN_S = 30.0
_NO_ADDRESS = getattr(socket, "EAI_NODATA", None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's host and port, and its addresses in the resolver's order: each a family and what `socket` connects
    to."""

    host: str
    port: int
    is_tls: bool
    addresses: tuple[tuple[int, Any], ...]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_known: dict[str, tuple[float, Endpoint]] = {}
"""What was found for each scheme and authority, and when it was looked up last (monotonic seconds)."""


def resolve(url: str) -> Endpoint:
    """The endpoint that a URL names; may wait for the resolver. Where that fails, the last one that was found is taken:
    a server that has gone will say so itself. Raises UpgradeRefused, GeneratorFailure."""
    parts = urlsplit(url)
    name, now_s = f"{parts.scheme}://{parts.netloc}", time.monotonic()
    looked_up_s, endpoint = _known.get(name, (0.0, None))
    if endpoint is not None:
        if now_s - looked_up_s <= _LOOK_UP_AGAIN_S:
            return endpoint
        _known[name] = now_s, endpoint  # others don't wait meanwhile: they go where it led before
    try:
        endpoint = _look_up(parts.scheme, parts.hostname or "localhost", parts.port or DEFAULT_PORTS[parts.scheme])
    except SttLoadError as fault:
        if endpoint is None or not _is_of_resolver(fault):
            raise
    _known[name] = now_s, endpoint
    return endpoint


def _is_of_resolver(fault: SttLoadError) -> bool:
    """Whether a name that had addresses has none because the resolver fails. "No address" is what glibc says where a
    name server fails for one family of addresses and knows none of the other."""
    is_without_address = isinstance(fault.__cause__, socket.gaierror) and fault.__cause__.errno == _NO_ADDRESS
    return isinstance(fault, GeneratorFailure) or is_without_address


def _look_up(scheme: str, host: str, port: int) -> Endpoint:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        text = f"no TCP connection to {host}:{port}"
        raise fault_of(error, text, UpgradeRefused(f"{text}: {error.strerror or error}")) from error
    addresses = tuple((family, address) for family, _, _, _, address in found)
    return Endpoint(host, port, scheme in SCHEMES_WITH_TLS, addresses)

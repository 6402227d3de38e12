"""The head of an HTTP/1.1 request, as bytes. The same for the upgrade to a websocket, uploads and text to speech."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from stt_load import __version__
from stt_load.option_values import DEFAULT_PORTS, URL_CHARACTERS, WITH_TLS

USER_AGENT = f"stt-load/{__version__}"  # proxies are known to turn away who has none
END_OF_HEAD = b"\r\n\r\n"


def request_head(method: str, url: str, *headers: Mapping[str, str]) -> bytes:
    """The request line and the headers, with the empty line behind them. Of headers with the same name the last one is
    sent."""
    lines: dict[str, str] = {}
    for name, value in (("Host", authority(url)), *(pair for each in headers for pair in each.items())):
        lines[name.lower()] = f"{name}: {value}"
    return "\r\n".join([f"{method} {path_and_query(url)} HTTP/1.1", *lines.values()]).encode() + END_OF_HEAD


def tls_hint(url: str) -> str:
    """What to say of a server that leaves without a word: those with TLS do, where a request comes without it."""
    scheme = WITH_TLS.get(urlsplit(url).scheme)
    return f"; servers with TLS do so too: write {scheme}:// if it has it" if scheme else ""


def authority(url: str) -> str:
    """Host and port as `Host` has them: without user and password, without the port that goes without saying."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def path_and_query(url: str) -> str:
    """Path and query in ASCII, as RFC 9112 section 3.2.1 wants them: browsers encode the rest as UTF-8."""
    parts = urlsplit(url)
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=URL_CHARACTERS)

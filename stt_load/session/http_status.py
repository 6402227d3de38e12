"""What an HTTP answer means that is not the one that was hoped for: whose fault it is, and the reason that it gives."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urljoin, urlsplit

from stt_load.errors import FailureReported, ProtocolError, SttLoadError, UpgradeRefused
from stt_load.option_values import WITH_TLS
from stt_load.session.outcomes import STATUS_REFUSALS
from stt_load.text.printable import printable
from stt_load.text.url_secrets import without_credentials

REASON_BYTES = 65_536  # of a refusal's body; its reason stands in the first hundred
REASON_TIMEOUT_S = 2.0  # how long the reason of a refusal is waited for, once its status is there
_REASON_CHARACTERS = 200
_REDIRECTS = (301, 302, 303, 307, 308)  # RFC 9110 section 15.4: those whose Location is meant to be gone to
_SCHEME_OF_WEBSOCKETS = {"http": "ws", "https": "wss"}
_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9._-]+)")
_TITLE = re.compile(r"<title[^<>]*>([^<]+)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_WANTS_TLS = re.compile(r"HTTPS port|HTTPS server|plain HTTP request", re.IGNORECASE)  # nginx, Apache, Go, Envoy


def one_line(text: str) -> str:
    """The beginning of a server's text as it is shown: on one line, each run of blanks one blank."""
    return printable(" ".join(text[:REASON_BYTES].split()))[:_REASON_CHARACTERS]


def fault_of_status(status: int, headers: Mapping[str, str], body: bytes, url: str) -> SttLoadError:
    """The fault of a request to `url` whose answer is other than 2xx. RFC 9110 section 15: 3xx and 4xx are about the
    request, 5xx about the server. `headers`: by their names in lower case."""
    text = f"HTTP {status}{_told(status, headers, body, url)}"
    if status in STATUS_REFUSALS or status in _REDIRECTS or 400 <= status < 500:
        return UpgradeRefused(text, status)
    return FailureReported(text) if status >= 500 else ProtocolError(text)


def refused_upgrade(status: int, headers: Mapping[str, str], body: bytes, url: str) -> UpgradeRefused:
    """The fault of an upgrade to a websocket at `url` whose answer is other than 101, whatever its status."""
    return UpgradeRefused(f"HTTP {status} at the upgrade{_told(status, headers, body, url)}", status)


def _told(status: int, headers: Mapping[str, str], body: bytes, url: str) -> str:
    if status in _REDIRECTS:
        return _redirect(url, headers.get("location"))
    reason = one_line(_reason_of(_text_of(headers, body)))
    scheme = urlsplit(url).scheme
    if status == 401 and headers.get("www-authenticate", "").lower().startswith("basic"):
        reason += f"; it wants a user and a password: {scheme}://USER:PASSWORD@HOST/"
    if scheme in WITH_TLS and _WANTS_TLS.search(reason):
        reason += f"; write {WITH_TLS[scheme]}:// instead of {scheme}://"
    return f": {reason.removeprefix('; ')}" if reason else ""


def _redirect(url: str, location: str | None) -> str:
    """Where to, as it is to be typed. It is not gone to: every request would be answered twice, and what was meant for
    one server would be sent to another."""
    if not location:
        return ": a redirect without Location"
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")  # heads are read byte by byte
    with contextlib.suppress(ValueError):  # what is no URL is shown as it is
        location = urljoin(url, location)
        scheme = urlsplit(location).scheme
        if urlsplit(url).scheme in _SCHEME_OF_WEBSOCKETS.values() and scheme in _SCHEME_OF_WEBSOCKETS:
            location = _SCHEME_OF_WEBSOCKETS[scheme] + location[len(scheme) :]
    return f": redirected to {one_line(without_credentials(location) or '')}; use that URL"


def _text_of(headers: Mapping[str, str], body: bytes) -> str:
    """The body as text; empty where it is compressed, which nobody asked for."""
    if is_compressed(headers):
        return ""
    charset = _CHARSET.search(headers.get("content-type", ""))
    try:
        return body.decode(charset[1] if charset else "utf-8-sig", "replace")
    except (LookupError, ValueError):  # nobody knows that charset
        return body.decode("utf-8", "replace")


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Whether an answer comes in a content coding (RFC 9110 section 8.4), which no request of ours allows."""
    return headers.get("content-encoding", "").lower() not in ("", "identity")


def _reason_of(text: str) -> str:
    """FastAPI's `{"detail": …}`, where a list has one entry for each wrong field; OpenAI's `{"error": {"message": …}}`;
    the title of a web page, or its text; else the text itself."""
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        return unescape(title[1] if title and title[1].strip() else _TAG.sub(" ", text))
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(said, dict):
        return text
    detail = said.get("detail", said.get("error", text))
    if isinstance(detail, dict):
        detail = detail.get("message", text)
    if isinstance(detail, list):
        return "; ".join(_wrong_field(entry) for entry in detail)
    return str(detail)


def _wrong_field(entry: object) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    path = entry.get("loc")
    place = ".".join(str(part) for part in path) if isinstance(path, list) else ""
    return f"{place}: {entry.get('msg')}" if place else str(entry.get("msg"))

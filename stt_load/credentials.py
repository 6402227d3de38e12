"""Credentials: which environment variables they come from, what is sent, and how they are kept out of all that is
written."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from stt_load.errors import ConfigError

API_KEY_VARIABLE = "STT_LOAD_API_KEY"  # of the server under test
TTS_KEY_VARIABLE = "STT_LOAD_TTS_API_KEY"  # of the TTS server
HEADERS_VARIABLE = "STT_LOAD_HEADERS"  # of the server under test: NAME=VALUE, one a line
SIDECAR_TOKEN_VARIABLE = "GPU_SIDECAR_TOKEN"  # the sidecar reads the same one

HIDDEN = "***"
_SECRET_NAME = re.compile(r"key|token|secret|auth|jwt|password", re.IGNORECASE)

# RFC 9110 section 5.1: what a header's name is made of.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers that a request can't do without, or that would change what its answer is: each request sets its own.
_HEADERS_OF_OURS = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
_HEADERS_OF_THE_HANDSHAKE = "sec-websocket-"
_SURE_CHARACTERS = 8  # a shorter secret is hidden as a whole word only: it may be a part of ordinary words


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a run shows to the server under test. `headers`: own ones, by the names that were typed; they replace those
    of the dialect. Neither is in its `repr`."""

    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def added_to(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of a dialect with the own ones, which win."""
        own = {name.lower() for name in self.headers}
        return {name: value for name, value in headers.items() if name.lower() not in own} | dict(self.headers)

    def hide(self, text: str) -> str:
        """A text of a server as it may be shown and kept: servers quote what they refuse."""
        pattern = _secrets_of(self.api_key, tuple(self.headers.values()))
        return pattern.sub(HIDDEN, text) if pattern else text


NO_CREDENTIALS = Credentials()


def read_credentials(environ: Mapping[str, str], key_variable: str, url: str) -> Credentials:
    """The credentials of a run: the API key, own headers, and user and password of the server's `url`, which are sent
    as RFC 7617 has it unless an own header is. Raises ConfigError with every problem, in which no value is."""
    problems: list[str] = []
    headers: dict[str, str] = {}
    for line in environ.get(HEADERS_VARIABLE, "").split("\n"):
        try:
            name, value = parse_header(line) if line.strip() else ("", "")
        except ValueError as error:
            problems.append(f"--header, or {HEADERS_VARIABLE}: {error}")
            continue
        if name.lower() in (each.lower() for each in headers):
            problems.append(f"--header, or {HEADERS_VARIABLE}: {name} is set twice: once is enough")
        elif name:
            headers[name] = value
    # A key that was read from a file often ends its line.
    key = environ.get(key_variable, "").strip()
    if not key.isprintable():
        problems.append(f"{key_variable}: it holds a line break or another character that no header may hold")
    if problems:
        raise ConfigError(problems)
    basic = _basic(url)
    if basic and "authorization" not in (name.lower() for name in headers):
        headers["Authorization"] = basic
    return Credentials(key or None, headers)


def parse_header(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as name and value. Raises ValueError, in whose text no value is."""
    before_colon, colon, _ = text.partition(":")
    if colon and _HEADER_NAME.fullmatch(before_colon.strip()) and "=" not in before_colon:  # as curl has it
        name = before_colon.strip()
        raise ValueError(f"{name} has `:` where `=` belongs: write {name}=VALUE")
    name, separator, value = (part.strip() for part in text.partition("="))
    if not separator or not _HEADER_NAME.fullmatch(name):
        raise ValueError("write NAME=VALUE with the name of a header, as in X-Tenant=acme")
    if name.lower() in _HEADERS_OF_OURS or name.lower().startswith(_HEADERS_OF_THE_HANDSHAKE):
        raise ValueError(f"{name} is set by stt-load itself: leave it out")
    if not value or not value.isprintable():
        raise ValueError(f"{name} has no value, or one with a line break or another character that no header may hold")
    return name, value


def header_names(environ: Mapping[str, str]) -> list[str]:
    """The names of the own headers, which are no secret."""
    lines = environ.get(HEADERS_VARIABLE, "").split("\n")
    return [line.partition("=")[0].strip() for line in lines if "=" in line]


def _basic(url: str) -> str | None:
    """`Authorization` for the user and password of a URL (RFC 7617); None where it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@functools.lru_cache(maxsize=16)
def _secrets_of(api_key: str | None, values: tuple[str, ...]) -> re.Pattern[str] | None:
    """What matches each secret in a text, the longest first."""
    secrets = {text for value in (api_key or "", *values) for text in _forms(value) if text}
    if not secrets:
        return None
    return re.compile("|".join(_matching(text) for text in sorted(secrets, key=len, reverse=True)))


def _forms(value: str) -> Iterator[str]:
    """The value of a header, the part of it behind `Bearer` or the like, and the password in `Basic`."""
    yield value
    scheme, _, token = value.partition(" ")
    yield token
    if scheme.lower() == "basic":
        try:
            user_and_password = base64.b64decode(token, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return
        yield user_and_password
        yield user_and_password.partition(":")[2]


def _matching(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) >= _SURE_CHARACTERS else rf"(?<!\w){escaped}(?!\w)"


def without_credentials(url: str | None) -> str | None:
    """The URL as it may be shown and kept: without user and password, and without the value of any parameter whose name
    sounds secret."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:  # a server redirected to what is no URL
        return HIDDEN
    query = urlencode(
        [
            (name, HIDDEN if _SECRET_NAME.search(name) else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        safe="*",
    )
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))

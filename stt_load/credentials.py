"""Credentials: which environment variables they come from, what is sent, and how they are kept out of all that is
written."""

from __future__ import annotations

import base64
import binascii
import functools
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, unquote, urlsplit

from stt_load.errors import ConfigError
from stt_load.text.url_secrets import HIDDEN, SURE_CHARACTERS, looks_like_token, secrets_of_url

API_KEY_VARIABLE = "STT_LOAD_API_KEY"  # of the server under test
TTS_KEY_VARIABLE = "STT_LOAD_TTS_API_KEY"  # of the TTS server
HEADERS_VARIABLE = "STT_LOAD_HEADERS"  # of the server under test: NAME=VALUE, one a line
SIDECAR_TOKEN_VARIABLE = "GPU_SIDECAR_TOKEN"  # the sidecar reads the same one
CLUSTER_TOKEN_VARIABLE = "STT_LOAD_CLUSTER_TOKEN"  # master and workers have the same one

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
_BEGINNING_CHARACTERS = 12  # of a secret that was cut off: fewer may be a word
_LONGEST_REST = 60  # how much more of such a beginning is looked for
HIDDEN_WORD = "hidden"  # in a transcript, where a sign would be no word


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a run shows to the server under test. `headers`: own ones, by the names that were typed; they replace those
    of the dialect. `url_secrets`: what is secret in the URL. None of it is in its `repr`."""

    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    url_secrets: tuple[str, ...] = field(default=(), repr=False)

    def added_to(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of a dialect with the own ones, which win."""
        own = {name.lower() for name in self.headers}
        return {name: value for name, value in headers.items() if name.lower() not in own} | dict(self.headers)

    def hide(self, text: str) -> str:
        """A text of a server as it may be shown and kept: servers quote what they refuse, and more than that."""
        pattern = self._pattern()
        return pattern.sub(HIDDEN, text) if pattern else text

    def hide_in_transcript(self, text: str, reference: str) -> str:
        """A transcript as it may be kept. What `reference` holds was spoken, and what is short may be a word: both are
        kept. Any other secret becomes one other word, so that no error rate changes."""
        pattern = self._pattern(SURE_CHARACTERS)
        return pattern.sub(lambda found: found[0] if found[0] in reference else HIDDEN_WORD, text) if pattern else text

    def _pattern(self, shortest: int = 1) -> re.Pattern[str] | None:
        return _secrets_of(self.api_key, tuple(self.headers.values()), self.url_secrets, shortest)


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
    return Credentials(key or None, headers, tuple(secrets_of_url(url)))


def sidecar_token(environ: Mapping[str, str]) -> str | None:
    """What sidecars are shown; None where there is none. They read it in the same way: without the end of a line."""
    return environ.get(SIDECAR_TOKEN_VARIABLE, "").strip() or None


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
def _secrets_of(
    api_key: str | None, values: tuple[str, ...], url_secrets: tuple[str, ...], shortest: int
) -> re.Pattern[str] | None:
    """What matches each secret of `shortest` characters and more in a text, the longest first; None where there is
    none."""
    secrets = {text for value in (api_key or "", *values) for text in _parts(value)} | {*url_secrets}
    forms = sorted(
        {form for secret in secrets if len(secret) >= shortest for form in _forms(secret)}, key=len, reverse=True
    )
    long = [form for form in forms if len(form) > _BEGINNING_CHARACTERS]
    return re.compile("|".join([*map(_whole, forms), *map(_beginning, long)])) if forms else None


def _parts(value: str) -> Iterator[str]:
    """The value of a header, the part of it behind `Bearer` or the like, the password in `Basic`, and each part that
    looks like a token, as that of a session in a cookie."""
    yield value
    yield from (part for part in re.split(r"[\s,;:=\"']+", value) if looks_like_token(part))
    scheme, _, token = value.partition(" ")
    yield token
    if scheme.lower() == "basic":
        try:
            user_and_password = base64.b64decode(token, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return
        yield user_and_password
        yield user_and_password.partition(":")[2]


def _forms(secret: str) -> Iterator[str]:
    """The secret, and how it looks in a URL, in JSON, in HTML and in base64, in which programs quote it too."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    yield html.escape(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    if len(secret) >= SURE_CHARACTERS:
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(secret.encode()).decode()
            yield from (text, text.rstrip("="))


def _whole(text: str) -> str:
    """Matches the text, a short one only as a word of its own."""
    return re.escape(text) if len(text) >= SURE_CHARACTERS else rf"(?<!\w){re.escape(text)}(?!\w)"


def _beginning(text: str) -> str:
    """Matches what is left of the text where a longer one that held it was cut off."""
    rest = text[_BEGINNING_CHARACTERS : _BEGINNING_CHARACTERS + _LONGEST_REST]
    return re.escape(text[:_BEGINNING_CHARACTERS]) + "".join(f"(?:{re.escape(c)}" for c in rest) + ")?" * len(rest)

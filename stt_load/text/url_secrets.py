"""What is secret in a URL: user and password, the values of parameters but for well-known harmless ones, the fragment,
and parts of the path that look like a token.

Which parameters are secret nobody can list: `sig`, `X-Amz-Signature`, `pwd`, `code`, and each service has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit, urlunsplit

HIDDEN = "***"

HARMLESS_PARAMETERS = frozenset(
    {
        *("api-version", "version", "deployment", "intent", "mode", "model", "speech_model", "task", "tier", "timings"),
        *("language", "lang", "language_code", "locale", "target_language", "detect_language"),
        *("channels", "codec", "container", "encoding", "format", "multichannel", "sample_rate", "sample_width"),
        *("diarize", "filler_words", "format_turns", "itn", "numerals", "profanity_filter", "punctuate", "punctuation"),
        *("endpointing", "interim_results", "no_delay", "smart_format", "utterance_end_ms", "vad", "vad_events"),
        *("end_of_turn_confidence_threshold", "max_turn_silence", "min_turn_silence", "response_format", "stream"),
    }
)
"""Parameters of speech servers whose values are shown, as long as they don't look like a token."""

_USER_INFO = re.compile(r"(?:(?<=://)|^(?!\w+://))[^/?#]*@|(?<=://).*@|^(?!\w+://).*@", re.DOTALL)
_URL = re.compile(r"\w+://[^\s'\"<>]+")
# Sixteen letters and digits with both among them, forty letters, or a UUID: no word, and no name of a model.
_TOKEN = re.compile(
    r"(?=[A-Za-z0-9]*[0-9])(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{16}|[A-Za-z0-9]{40}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-"
)
# Their values are never words, however short they are.
_SECRET_NAME = re.compile(r"key|token|secret|auth|jwt|pass|pwd|sig|cred|code", re.IGNORECASE)
SURE_CHARACTERS = 8  # a shorter secret may be a part of ordinary words


def looks_like_token(text: str) -> bool:
    """Whether the text, or a part of it, looks like a key rather than like words."""
    return _TOKEN.search(text) is not None


def without_credentials(url: str | None) -> str | None:
    """The URL as it may be shown and kept: without user and password, and with `***` for all else that is secret."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:  # a server redirected to what is no URL
        return HIDDEN
    return urlunsplit(
        parts._replace(
            netloc=parts.netloc.rpartition("@")[2],
            path="/".join(HIDDEN if looks_like_token(part) else part for part in parts.path.split("/")),
            query="&".join(_shown_parameter(part) for part in parts.query.split("&")),
            fragment=parts.fragment and HIDDEN,
        )
    )


def as_typed(text: str) -> str:
    """What was typed for a URL, which may be none, as an error shows it: without what may be secret in it."""
    place, mark, query = _USER_INFO.sub(f"{HIDDEN}@", text).partition("?")
    query, hash_, _ = query.partition("#")
    place = "/".join(HIDDEN if looks_like_token(part) else part for part in place.split("/"))
    return place + mark + "&".join(_shown_parameter(part) for part in query.split("&")) + (hash_ and f"#{HIDDEN}")


def without_secrets_of_urls(text: str) -> str:
    """A text with each URL in it as `as_typed` shows it."""
    return _URL.sub(lambda found: as_typed(found[0]), text)


def value_without_secrets(value: Any) -> Any:
    """A JSON value with each URL in its texts as `as_typed` shows it."""
    if isinstance(value, str):
        return without_secrets_of_urls(value) if "://" in value else value
    if isinstance(value, list):
        return [value_without_secrets(item) for item in value]
    return {key: value_without_secrets(item) for key, item in value.items()} if isinstance(value, dict) else value


def secrets_of_url(url: str) -> Iterator[str]:
    """Each text in the URL that may not be shown where a server quotes it. Values that may be words of a sentence, such
    as `fast` in `?profile=fast`, are not among them."""
    parts = urlsplit(url)
    if parts.username and len(parts.username) >= SURE_CHARACTERS:  # some services take a key for the user
        yield unquote(parts.username)
    if parts.password:
        yield unquote(parts.password)
    yield from (unquote(part) for part in parts.path.split("/") if looks_like_token(part))
    for part in parts.query.split("&"):
        name, _, value = part.partition("=")
        if HIDDEN in _shown_parameter(part) and (len(value) >= SURE_CHARACTERS or _SECRET_NAME.search(name)):
            yield unquote_plus(value)


def _shown_parameter(part: str) -> str:
    """`name=value` of a query, with the value hidden where it isn't known to be harmless."""
    name, equals, value = part.partition("=")
    if not equals:
        return part and HIDDEN
    is_harmless = unquote_plus(name).lower() in HARMLESS_PARAMETERS and not looks_like_token(unquote_plus(value))
    return part if is_harmless else f"{name}={HIDDEN}"

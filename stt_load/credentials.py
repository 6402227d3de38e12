"""Credentials: which environment variables they come from, and how they are kept out of everything that is written."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

API_KEY_VARIABLE = "STT_LOAD_API_KEY"  # of the server under test
TTS_KEY_VARIABLE = "STT_LOAD_TTS_API_KEY"  # of the TTS server
SIDECAR_TOKEN_VARIABLE = "GPU_SIDECAR_TOKEN"  # the sidecar reads the same one

HIDDEN = "***"
_SECRET_NAME = re.compile(r"key|token|secret|auth|jwt|password", re.IGNORECASE)


def without_key(text: str, key: str | None) -> str:
    """A text of a server as it may be shown and kept: servers quote the key that they refuse."""
    return text.replace(key, HIDDEN) if key else text


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

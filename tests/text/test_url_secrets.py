"""What is secret in a URL: what is shown of it, and what servers may quote of it."""

from __future__ import annotations

import pytest

from stt_load.text.url_secrets import as_typed, secrets_of_url, without_credentials, without_secrets_of_urls

KEY = "sk0live1abcdefgh2345"
UUID = "0b0e1d5c-9a55-4f5e-8d0a-0123456789ab"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://host:8000/ws", "ws://host:8000/ws"),
        ("ws://host/ws?timings=1", "ws://host/ws?timings=1"),
        ("wss://user:secret@host/ws", "wss://host/ws"),
        ("ws://host/ws?api_key=abc&timings=1", "ws://host/ws?api_key=***&timings=1"),
        ("ws://host/ws?Token=abc", "ws://host/ws?Token=***"),
        ("ws://host/ws?jwt=", "ws://host/ws?jwt=***"),
        ("ws://host/?model=nova-3&language=en&punctuate=a%20b&punctuate=", None),
        ("ws://host/?Model=nova-3", None),
        (
            "ws://host/?sig=a&X-Amz-Signature=b&X-Amz-Credential=c",
            "ws://host/?sig=***&X-Amz-Signature=***&X-Amz-Credential=***",
        ),
        ("ws://host/?pwd=a&code=b&anything=c", "ws://host/?pwd=***&code=***&anything=***"),
        ("ws://host/?abc", "ws://host/?***"),
        ("ws://host/?a=1;b=2", "ws://host/?a=***"),
        ("ws://host/?mo%64el=x&%6b=v", "ws://host/?mo%64el=x&%6b=***"),
        (f"ws://host/?model={KEY}", "ws://host/?model=***"),
        ("ws://host/ws#access_token=abc", "ws://host/ws#***"),
        (f"ws://host/v1/{KEY}/listen", "ws://host/v1/***/listen"),
        (f"ws://host/{UUID}/ws", "ws://host/***/ws"),
        ("ws://host/eyJhbGciOiJIUzI1NiJ9.e30.x/ws", "ws://host/***/ws"),
        ("ws://host/openai/deployments/whisper-large-v3-turbo/nvidia/parakeet-tdt-0.6b-v2", None),
        ("ws://host/v1/audio/transcriptions/batch-2026-11-29", None),
        ("http://[::1]:8000/v1", None),
        ("ws://[host?key=abc", "***"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str | None) -> None:
    assert without_credentials(url) == (url if shown is None else shown)


def test_no_url_stays_none() -> None:
    assert without_credentials(None) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wss://me:pw@host:99999/?key=abc", "wss://***@host:99999/?key=***"),
        ("wss://me:p/w@host:1/", "wss://***@host:1/"),
        ("me:pw@host:1/?a=b#c", "***@host:1/?a=***#***"),
        ("htp://host/?model=small", "htp://host/?model=small"),
        ("ws://[host?key=abc", "ws://[host?key=***"),
        (f"ws//host/{KEY}", "ws//host/***"),
        ("no url", "no url"),
        ("ws://host/ws", "ws://host/ws"),
    ],
)
def test_what_an_error_shows_of_what_was_typed(text: str, shown: str) -> None:
    assert as_typed(text) == shown


def test_urls_are_found_in_a_text() -> None:
    text = "Got unexpected extra argument (wss://me:pw@host/?key=abc) or 'http://h/?model=a', you@example.com"
    shown = "Got unexpected extra argument (wss://***@host/?key=***) or 'http://h/?model=a', you@example.com"
    assert without_secrets_of_urls(text) == shown.replace("key=***)", "key=***")


def test_what_a_server_may_not_be_heard_to_quote() -> None:
    url = f"wss://a-long-user:p%40ss@host/v1/{KEY}/x?sig=s%2B1&profile=fast&other=long%20enough&model=large&flag#frag"
    assert list(secrets_of_url(url)) == ["a-long-user", "p@ss", KEY, "s+1", "long enough"]
    assert list(secrets_of_url("ws://me@host/ws?language=en")) == []

"""Credentials: what is sent, and what is never shown."""

from __future__ import annotations

import base64

import pytest

from stt_load.credentials import (
    API_KEY_VARIABLE,
    HEADERS_VARIABLE,
    SIDECAR_TOKEN_VARIABLE,
    Credentials,
    header_names,
    parse_header,
    read_credentials,
    sidecar_token,
)
from stt_load.errors import ConfigError

URL = "ws://host:8000/ws"


def credentials(headers: str = "", url: str = URL, key: str = "") -> Credentials:
    return read_credentials({HEADERS_VARIABLE: headers, API_KEY_VARIABLE: key}, API_KEY_VARIABLE, url)


def test_own_headers_are_one_on_each_line() -> None:
    found = credentials("X-Tenant=acme\r\n\n  Cookie = a=b; c=d \nAuthorization=Bearer s3cret-token\n", key=" key\n")
    assert found.headers == {"X-Tenant": "acme", "Cookie": "a=b; c=d", "Authorization": "Bearer s3cret-token"}
    assert found.api_key == "key"
    assert header_names({HEADERS_VARIABLE: "X-Tenant=acme\nCookie=a=b"}) == ["X-Tenant", "Cookie"]
    assert header_names({}) == []


@pytest.mark.parametrize(
    ("value", "token"), [("abc", "abc"), ("abc\r", "abc"), (" abc\n", "abc"), ("", None), ("\n", None)]
)
def test_the_token_of_sidecars_is_read_as_they_read_it(value: str, token: str | None) -> None:
    """Files that Windows has written end their lines with two characters."""
    assert sidecar_token({SIDECAR_TOKEN_VARIABLE: value}) == token


def test_own_headers_win_over_those_of_the_dialect_whatever_their_letters() -> None:
    found = credentials("authorization=Bearer mine\nX-A=1")
    assert found.added_to({"Authorization": "Token key", "X-B": "2"}) == {
        "X-B": "2",
        "authorization": "Bearer mine",
        "X-A": "1",
    }
    assert Credentials().added_to({"X-B": "2"}) == {"X-B": "2"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("X-Secret: hunter2", "X-Secret has `:` where `=` belongs: write X-Secret=VALUE"),
        (" X-Secret :hunter2==", "X-Secret has `:` where `=` belongs: write X-Secret=VALUE"),
        ("hunter2", "write NAME=VALUE"),
        ("=hunter2", "write NAME=VALUE"),
        ("X Y=hunter2", "write NAME=VALUE"),
        ("Überschrift=hunter2", "write NAME=VALUE"),
        ("X-A=", "X-A has no value, or one with a line break"),
        ("X-A=hunter2\rX-B: hunter2", "X-A has no value, or one with a line break"),
        ("X-A=hunter2\x00", "X-A has no value, or one with a line break"),
        *(
            (f"{name}=hunter2", f"{name} is set by stt-load itself: leave it out")
            for name in ("Host", "upgrade", "Connection", "Sec-WebSocket-Key", "sec-websocket-protocol")
        ),
        *(
            (f"{name}=hunter2", f"{name} is set by stt-load itself: leave it out")
            for name in ("Content-Length", "Content-Type", "Transfer-Encoding", "Accept-Encoding", "Expect")
        ),
    ],
)
def test_a_header_that_can_not_be_sent_is_refused_without_its_value(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_header(text)
    with pytest.raises(ConfigError) as told:
        credentials(f"X-Ok=1\n{text}")
    assert "hunter2" not in str(caught.value) + str(told.value)
    assert f"--header, or {HEADERS_VARIABLE}: " in str(told.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        credentials("X-A=1\nx-a=2\nHost=a\nnothing", key="a\nb")
    twice, ours, nothing, key = caught.value.problems
    assert "x-a is set twice" in twice
    assert "Host is set by" in ours
    assert "write NAME=VALUE" in nothing
    assert key.startswith(f"{API_KEY_VARIABLE}: it holds a line break")


@pytest.mark.parametrize(
    ("url", "pair"),
    [
        ("ws://me:pass%20word@host/", b"me:pass word"),
        ("https://me@host/", b"me:"),
        ("ws://:p%40ss@host/", b":p@ss"),
        ("ws://m%C3%A9:%C3%9F@host/", "mé:ß".encode()),
    ],
)
def test_user_and_password_of_the_url_are_sent_as_basic(url: str, pair: bytes) -> None:
    assert credentials(url=url).headers == {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    assert credentials("authorization=Bearer a", url=url).headers == {"authorization": "Bearer a"}
    assert credentials().headers == {}


def test_what_is_secret_is_hidden_in_what_a_server_says() -> None:
    found = credentials(
        "X-Lang=en\nCookie=session=abcdef123456\nX-Token=Bearer top-secret-1",
        url="ws://me:hunter22@host/",
        key="sesame",
    )
    said = "bad key sesame, token top-secret-1, hunter22 of me:hunter22, session=abcdef123456; when in Spanish: en"
    assert found.hide(said) == "bad key ***, token ***, *** of ***, ***; when in Spanish: ***"
    assert found.hide(found.headers["Authorization"]) == "***"
    assert Credentials().hide("no key, nothing to hide") == "no key, nothing to hide"


def test_nothing_secret_is_in_a_repr() -> None:
    shown = repr(credentials("X-Token=hunter2", url="ws://me:hunter2@host/", key="hunter2"))
    assert "hunter2" not in shown
    assert "X-Token" not in shown


SECRET = "Hunter2-of-the_north+/=&é"


@pytest.mark.parametrize(
    "quoted",
    [
        SECRET,
        "Hunter2-of-the_north%2B%2F%3D%26%C3%A9",
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        "Hunter2-of-the_north+\\/=&\\u00e9",  # JSON, as PHP writes it
        "Hunter2-of-the_north+/=&amp;é",
        SECRET[:15],  # an error that is cut off
    ],
)
@pytest.mark.parametrize(
    "found",
    [
        credentials(key=SECRET),
        credentials(f"X-Token=Bearer {SECRET}"),
        credentials(url="ws://me:Hunter2-of-the_north%2B%2F%3D%26%C3%A9@host/"),
        credentials(url="ws://host/?sig=Hunter2-of-the_north%2B%2F%3D%26%C3%A9"),
        credentials(url="ws://host/?profile=Hunter2-of-the_north%2B%2F%3D%26%C3%A9"),
    ],
)
def test_a_secret_is_hidden_however_a_server_quotes_it(found: Credentials, quoted: str) -> None:
    assert found.hide(f"no such thing as {quoted}, sorry") == "no such thing as ***, sorry"


def test_a_part_of_a_header_that_looks_like_a_token_is_hidden_by_itself() -> None:
    found = credentials('Cookie=theme=dark; session="abcdef0123456789"; lang=en\nAccept=application/json')
    assert found.hide("session abcdef0123456789 is dark, no JSON") == "session *** is dark, no JSON"


def test_parameters_that_may_be_words_are_not_taken_out_of_what_a_server_says() -> None:
    found = credentials(url="ws://host/?profile=fast&model=some-model-name&n=1&pwd=abc")
    assert found.hide("model some-model-name in 1 fast step, abc") == "model some-model-name in 1 fast step, ***"


def test_a_transcript_keeps_what_was_spoken_and_its_number_of_words() -> None:
    found = credentials("X-Lang=en", key="open-sesame", url="ws://host/?code=0123456789")
    assert found.hide_in_transcript("an open-sesame 0123456789", "open-sesame") == "an open-sesame hidden"
    assert found.hide_in_transcript("open-sesame now en", "close it") == "hidden now en"
    assert Credentials().hide_in_transcript("open sesame", "") == "open sesame"

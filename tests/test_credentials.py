from __future__ import annotations

import pytest

from stt_load.credentials import without_credentials, without_key


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://host:8000/ws", "ws://host:8000/ws"),
        ("ws://host/ws?timings=1", "ws://host/ws?timings=1"),
        ("wss://user:secret@host/ws", "wss://host/ws"),
        ("ws://host/ws?api_key=abc&timings=1", "ws://host/ws?api_key=***&timings=1"),
        ("ws://host/ws?Token=abc", "ws://host/ws?Token=***"),
        ("ws://host/ws?jwt=", "ws://host/ws?jwt=***"),
        ("ws://[host?key=abc", "***"),
    ],
)
def test_no_credential_of_a_url_is_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_no_url_stays_none() -> None:
    assert without_credentials(None) is None


def test_a_key_that_somebody_quotes_is_not_shown() -> None:
    assert without_key("bad key sesame: sesame", "sesame") == "bad key ***: ***"
    assert without_key("no key", None) == "no key"

"""The error of an utterance names the dialect that the server seems to speak, and never the caller's key."""

from __future__ import annotations

from stt_load.credentials import Credentials
from stt_load.dialects.base import Dialect, Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.session.error_text import ErrorText


def made(name: str, key: str | None = None) -> Dialect:
    return DIALECTS[name].make(Settings(credentials=Credentials(key)))


def test_messages_of_another_dialect_name_it_and_those_of_ones_own_don_t() -> None:
    for name, expected in (("parakeet", ["vosk"]), ("vosk", [])):
        error_text = ErrorText(made(name))
        error_text.add_unknown('{"partial": ""}')
        assert error_text.other_dialects == expected
        assert error_text.is_understood is (name == "vosk")


def test_the_words_of_a_refusal_name_it_too() -> None:
    error_text = ErrorText(made("vosk"))
    error_text.add_refusal("HTTP 400 at the upgrade: missing subprotocol")
    assert error_text.describe("HTTP 400") == "HTTP 400; the server seems to speak funasr: see --dialect"


def test_words_that_no_dialect_knows_change_nothing() -> None:
    error_text = ErrorText(made("vosk"))
    error_text.add_unknown('{"event": "pong"}')
    error_text.add_refusal("HTTP 400 at the upgrade: bad request")
    assert error_text.describe("HTTP 400") == "HTTP 400"


def test_what_the_server_remarked_before_is_told_behind_the_error_each_once_and_two_at_the_most() -> None:
    error_text = ErrorText(made("vosk"))
    for remark in ("one", "one", "two", "three"):
        error_text.add_remark(remark)
    told = "it closed; the server said before: one; the server said before: two"
    assert error_text.describe("it closed") == told


def test_the_key_is_not_told() -> None:
    remarked = ErrorText(made("deepgram", "open sesame"))
    remarked.add_remark("'bad key: open sesame'")
    assert "open sesame" not in remarked.describe("it closed")
    assert "open sesame" not in ErrorText(made("deepgram", "open sesame")).describe("bad key: open sesame")

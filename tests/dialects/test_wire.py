"""What dialects share: texts that may be anything, texts that are judged, and JSON that is read with care."""

from __future__ import annotations

import json

import pytest

from stt_load.dialects.events import Ignored, Partial
from stt_load.dialects.wire import (
    interim_text,
    is_blank,
    parse_object,
    partial,
    shown,
    text_of,
    try_object,
    with_whole_characters,
)
from stt_load.errors import PlainWords, ProtocolError

ODD = [None, 5, 1.5, True, ["hello"], {"text": "hello"}, [], {}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_interim_text_that_is_no_text_is_none(odd: object) -> None:
    assert interim_text({"text": odd}, "text") == ""
    assert interim_text({"a": [odd]}, "a", 0, "text") == ("hello" if odd == {"text": "hello"} else "")
    assert interim_text(odd, "channel", "alternatives", 0) == ""


def test_an_interim_text_is_found_at_the_end_of_its_path() -> None:
    body = {"channel": {"alternatives": [{"transcript": " hello "}]}}
    assert interim_text(body, "channel", "alternatives", 0, "transcript") == "hello"
    assert interim_text(body, "channel", "alternatives", 1, "transcript") == ""
    assert interim_text(body, "channel", "no such key") == ""
    assert interim_text(body, "channel", 0) == ""
    assert interim_text(body, "channel", "alternatives", "transcript") == ""


def test_a_text_that_may_still_change_is_a_partial_where_there_is_one() -> None:
    assert partial("hello") == (Partial("hello"),)
    (event,) = partial("")
    assert isinstance(event, Ignored)


def test_a_final_text_is_a_text_or_null() -> None:
    assert text_of({"text": " hello "}, "text") == "hello"
    assert text_of({"text": None}, "text") == ""
    for body in ({}, {"text": 5}, {"text": ["hello"]}, {"text": True}):
        with pytest.raises(ProtocolError, match="text is not a text"):
            text_of(body, "text")


@pytest.mark.parametrize("message", ["hello", "Unauthorized", "  pong", '"text"', "1", "null", "<html>"])
def test_plain_words_are_told_from_json_that_breaks_off(message: str) -> None:
    with pytest.raises(PlainWords):
        parse_object(message)
    assert try_object(message) == {}


@pytest.mark.parametrize("message", ['{"text": ', "[]", "[1", '{"a": 1}}', b"hello", b"\xff", "{" * 100_000])
def test_broken_json_is_no_plain_words(message: str | bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_object(message)
    assert not isinstance(caught.value, PlainWords)


@pytest.mark.parametrize(
    ("message", "expected"), [("", True), (" \n", True), (b"", True), (b"\r\n", True), ("{}", False)]
)
def test_a_message_without_anything_in_it_is_blank(message: str | bytes, expected: bool) -> None:
    assert is_blank(message) == expected


def test_halves_of_a_character_are_put_together_or_replaced() -> None:
    body = parse_object('{"\\ud83d": ["a \\ud83d b", {"c": "\\ud83d\\ude00"}], "n": 1.5, "b": null}')
    assert body == {"\ufffd": ["a \ufffd b", {"c": "\U0001f600"}], "n": 1.5, "b": None}
    assert json.dumps(body, ensure_ascii=False).encode()
    assert with_whole_characters("\ud83d" + "\ude00") == "\U0001f600"
    assert with_whole_characters("größe") == "größe"


@pytest.mark.parametrize(
    ("what", "line"),
    [("a\nb", r"'a\nb'"), (b"\xff", r"b'\xff'"), ({"a": None}, "{'a': None}"), ("x" * 100, repr("x" * 80))],
)
def test_an_error_shows_the_beginning_of_a_message(what: object, line: str) -> None:
    assert shown(what) == line

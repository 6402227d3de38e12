"""What an answer says: read by what it is said to be, and by what it is."""

from __future__ import annotations

import json

import pytest

from stt_load.errors import ProtocolError
from stt_load.uploads.answers import UploadAnswer, WholeReader


def read(body: str | bytes, may_be_plain: bool = False) -> UploadAnswer:
    """In two pieces, at 1 and 2 s."""
    data = body.encode() if isinstance(body, str) else body
    reader = WholeReader(may_be_plain)
    reader.feed(data[: len(data) // 2], 1.0)
    reader.feed(data[len(data) // 2 :], 2.0)
    return reader.close()


@pytest.mark.parametrize(
    ("body", "may_be_plain", "text"),
    [
        ('{"text": " one two "}', False, "one two"),
        ('{"text": "one two", "segments": [{"id": 0, "text": "one two"}], "duration": 3.2}', False, "one two"),
        ('{"code": 0, "text": "one two", "sentences": [], "transcript": null}', False, "one two"),
        ('"one two"', False, "one two"),
        ("one two\n", True, "one two"),
        ('{"text": ""}', False, ""),
        ('{"text": null, "segments": [], "language": "en"}', False, ""),
        ("null", False, ""),
        ('{"text": "one two"}', True, "one two"),
        ('"one two"', True, "one two"),
        ("1984", True, "1984"),
        ("[one] {two}", True, "[one] {two}"),
        ("{one two", True, "{one two"),
        ("<one two>", True, "<one two>"),
        ("\ufeffone two", True, "one two"),
        ("", True, ""),
        ('{"text": "one \\ud83d two"}', False, "one \ufffd two"),
        ('{"text": "one \\ud83d\\ude00"}', False, "one \U0001f600"),
    ],
)
def test_the_text_is_found_and_there_is_no_first_text(body: str, may_be_plain: bool, text: str) -> None:
    answer = read(body, may_be_plain)
    assert answer.text == text
    assert answer.messages == (((2.0, text),) if text else ())
    assert answer.first_text_at_s is None
    assert answer.error is None


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"text": 7}', "12", b"\xff\xfe", "", "[" * 100_000])
def test_what_holds_no_text_is_the_servers_fault(body: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        read(body)


@pytest.mark.parametrize("body", ["<!DOCTYPE html><p>log in", "\n<html>", '{"text": 7}', "{}", b"\xff\xfe"])
def test_a_page_or_an_object_without_a_text_is_none_even_where_text_was_asked_for(body: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        read(body, may_be_plain=True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"message": "no such model"}}, "no such model"),
        ({"error": "busy"}, "busy"),
        ({"code": 1, "msg": "failed", "text": ""}, "failed"),
        ({"code": 500}, "code 500"),
    ],
)
def test_a_server_may_say_in_a_good_answer_that_it_failed(body: dict[str, object], error: str) -> None:
    assert read(json.dumps(body)).error == error
    assert read(json.dumps(body), may_be_plain=True).error == error


def test_timings_are_passed_on_wherever_they_stand() -> None:
    body = {"text": "a", "timings_ms": {"queue": 1}, "meta": {"timings_ms": {"decode": 2.5, "note": "x"}}}
    assert read(json.dumps(body)).server_ms == {"queue": 1.0, "decode": 2.5}

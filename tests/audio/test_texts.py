from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rapidfuzz import fuzz

from stt_load.audio.texts import (
    english_set,
    english_texts,
    standard_set,
    texts_from_file,
    texts_from_json,
    texts_from_lines,
)
from stt_load.errors import ConfigError


def test_there_are_at_least_45_english_texts_and_five_standard_ones() -> None:
    assert len(english_set()) >= 45
    assert set(standard_set()) == {
        f"standard-{key}" for key in ("ultra_short", "short", "medium", "long", "telephony_typical")
    }
    assert english_texts() == [*english_set().values(), *standard_set().values()]


def test_english_texts_are_plain_words_and_punctuation() -> None:
    odd = [text for text in english_set().values() if not re.fullmatch(r"[A-Z][A-Za-z ,']+[.?]", text)]
    assert odd == []


def test_no_two_english_texts_share_half_of_their_words() -> None:
    texts = [text.lower().split() for text in english_set().values()]
    alike = [(a, b) for i, a in enumerate(texts) for b in texts[:i] if fuzz.ratio(a, b) > 50]
    assert alike == []


def test_the_recognisers_dictionary_has_every_english_word() -> None:
    pocketsphinx = pytest.importorskip("pocketsphinx", reason="an extra")
    decoder = pocketsphinx.Decoder(loglevel="FATAL", lm=None)
    words = {word for text in english_set().values() for word in re.findall(r"[a-z']+", text.lower())}
    assert [word for word in sorted(words) if decoder.lookup_word(word) is None] == []


def test_lines_become_numbered_texts_without_the_empty_ones() -> None:
    assert texts_from_lines("\n  One. \n\nTwo.\r\n") == {"text-01": "One.", "text-02": "Two."}


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('["One.", " Two. "]', {"text-01": "One.", "text-02": "Two."}),
        ('{"greeting": "One.", "a/b c": "Two."}', {"greeting": "One.", "a-b-c": "Two."}),
    ],
)
def test_json_texts_are_a_list_or_an_object(content: str, texts: dict[str, str]) -> None:
    assert texts_from_json(content, "x.json") == texts


@pytest.mark.parametrize("content", ["{", '"one"', "[1]", '{"a": ""}', '{"a": ["b"]}', '{"a b": "x", "a-b": "y"}'])
def test_other_json_is_refused_in_one_line_with_the_files_name(content: str) -> None:
    with pytest.raises(ConfigError) as refused:
        texts_from_json(content, "x.json")
    (problem,) = refused.value.problems
    assert problem.startswith("x.json: ") and "\n" not in problem


def test_an_id_cannot_leave_the_folder() -> None:
    assert texts_from_json(json.dumps({"../../etc/x": "One."}), "x.json") == {"etc-x": "One."}


@pytest.mark.parametrize(
    ("set_names", "instead"),
    [
        ((), "name a .txt file with one text per line or a .json list"),
        (("english", "standard"), "name a .txt file with one text per line, a .json list, english or standard"),
    ],
)
def test_a_file_that_is_not_there_is_refused_with_what_may_be_named(set_names: tuple[str, ...], instead: str) -> None:
    with pytest.raises(ConfigError) as caught:
        texts_from_file(Path("nowhere"), set_names)
    assert caught.value.problems == (f"--texts nowhere: No such file or directory; {instead}",)

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rapidfuzz import fuzz

from stt_load.audio.texts import (
    TextFile,
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
        ((), "name a .txt file with one text per line, a .json list or a .jsonl or .csv file"),
        (
            ("english", "standard"),
            "name a .txt file with one text per line, a .json list, a .jsonl or .csv file, english or standard",
        ),
    ],
)
def test_a_file_that_is_not_there_is_refused_with_what_may_be_named(set_names: tuple[str, ...], instead: str) -> None:
    with pytest.raises(ConfigError) as caught:
        texts_from_file(Path("nowhere"), set_names)
    assert caught.value.problems == (f"--texts nowhere: No such file or directory; {instead}",)


def put(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return folder / name


@pytest.mark.parametrize(
    ("name", "content", "texts", "column"),
    [
        ("a.txt", "One.\u2028Still one.\nTwo.", {"text-01": "One.\u2028Still one.", "text-02": "Two."}, None),
        (
            "a.jsonl",
            '{"text": "One."}\n\n{"text": "Two.", "lang": "en"}\n',
            {"text-01": "One.", "text-02": "Two."},
            "text",
        ),
        ("a.JSONL", '{"sentence": "One.\u2028", "id": "a b"}', {"a-b": "One."}, "sentence"),
        ("a.jsonl", '{"audio_filepath": "x.wav", "text": "One.", "id": 7}', {"7": "One."}, "text"),
        ("a.jsonl", '{"text": "half \\ud83d of one"}', {"text-01": "half \ufffd of one"}, "text"),
        ("a.csv", 'transcription,speaker\n"One, ""two""",x\n', {"text-01": 'One, "two"'}, "transcription"),
        ("a.csv", "\ufeffclip_id;text\r\na;One, two\r\n", {"a": "One, two"}, "text"),
        ("a.tsv", 'path\tsentence\nx.mp3\t"One\ny.mp3\tTwo"\n', {"text-01": '"One', "text-02": 'Two"'}, "sentence"),
    ],
)
def test_a_file_of_texts_is_read_as_its_ending_says(
    tmp_path: Path, name: str, content: str, texts: dict[str, str], column: str | None
) -> None:
    assert texts_from_file(put(tmp_path, name, content)) == TextFile(texts, column)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", '{"words": "One."}', "line 1: no text in it: name its column one of reference, transcription"),
        ("a.jsonl", '{"text": "One."}\n{"text": 2}', "line 2: `text` must be a text that is not empty"),
        ("a.jsonl", '{"text": "One."}\n["two"]', "line 2: not an object"),
        ("a.jsonl", '{"text": "One.", "id": "a"}\n{"text": "Two.", "id": "a"}', "an id in `id` is used twice"),
        ("a.jsonl", "\n", "has no texts"),
        ("a.csv", "One, two and three.\nFour.\n", "line 2: 1 cells, the header has 2"),
        ("a.csv", "text\n", "has no texts"),
        ("a.json", '{"text": "One."}\n{"text": "Two."}\n', "a file with one JSON object a line is called .jsonl"),
    ],
)
def test_a_file_of_texts_that_is_none_is_told(tmp_path: Path, name: str, content: str, told: str) -> None:
    path = put(tmp_path, name, content)
    with pytest.raises(ConfigError) as refused:
        texts_from_file(path)
    (problem,) = refused.value.problems
    assert problem.startswith(f"--texts {path}") and told in problem

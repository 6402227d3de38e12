from __future__ import annotations

import pytest

from stt_load.audio.listings import (
    entry_of,
    has_named_clips,
    is_fleurs,
    read_fleurs,
    read_kaldi,
    read_ljspeech,
    read_named,
    read_transcripts,
)
from stt_load.audio.manifest import ManifestEntry
from stt_load.errors import ClipError


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('{"audio_filepath": "a.wav", "text": "x"}\n{', True),
        ('\ufeff{"file_name": "a.wav", "transcription": "x"}', True),
        ("client_id\tpath\tsentence\n", True),
        ("file_name,transcription\r\n", True),
        ('"file_name";"text"\n', True),
        ("clip\tduration[ms]\n", False),
        ('{"path": "a.wav"}', False),
        ("{", False),
        ("[1]", False),
        ("LJ001|text|text", False),
        ("", False),
    ],
)
def test_a_list_is_known_by_the_names_of_its_columns(text: str, is_one: bool) -> None:
    assert has_named_clips(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("7\ta.wav\tOne\tone\t\n", True), ("path\ta.wav\tx\ty\n", False), ("7\ta.wav\tx\n", False), ("", False)],
)
def test_fleurs_has_no_header(text: str, is_one: bool) -> None:
    assert is_fleurs(text) is is_one


def test_offsets_are_read_as_numbers_and_durations_only_where_they_mean_a_part() -> None:
    problems: list[str] = []
    text = "audio_filepath,text,offset,duration\na.wav,one,1.5,2\nb.wav,two,,\n"
    assert read_named(text, problems) == [
        ManifestEntry("a", "a.wav", "one", offset_s=1.5, duration_s=2.0),
        ManifestEntry("b", "b.wav", "two"),
    ]
    assert entry_of({"file_name": "a.wav", "text": "x", "duration": 31_000}) == ManifestEntry("a", "a.wav", "x")
    assert problems == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"file_name": "a.wav"}, "no file and text in it: it has file_name"),
        ({"file_name": None, "text": "x"}, "`file_name` must be the name of a file"),
        ({"file_name": "a.wav", "text": " "}, "no text of what is spoken: `text` is empty"),
        ({"file_name": "a.wav", "text": 7}, "`text` is empty"),
        ({"audio_filepath": "a.wav", "text": "x", "offset": 10**400}, "`offset` must be a number of seconds"),
        ({"audio_filepath": "a.wav", "text": "x", "offset": -1}, "`offset` must be a number of seconds"),
        ({"audio_filepath": "a.wav", "text": "x", "duration": "long"}, "`duration` must be a number of seconds"),
        ({"audio_filepath": "a.wav", "text": "x", "duration": [1]}, "`duration` must be a number of seconds"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_reason(row: dict, reason: str) -> None:
    with pytest.raises(ClipError) as refused:
        entry_of(row)
    assert reason in str(refused.value)


def test_a_line_break_in_a_text_of_fleurs_is_told() -> None:
    problems: list[str] = []
    entries = read_fleurs('1\ta.wav\t"One\tone\tx\n2\tb.wav\tTwo\nlines\ttwo\tx\n', problems)
    assert [entry.reference for entry in entries] == ['"One']
    assert [problem.partition(":")[0] for problem in problems] == ["line 2", "line 3"]


def test_ljspeech_prefers_the_text_as_it_is_spoken() -> None:
    problems: list[str] = []
    entries = read_ljspeech('a|In 1840 "x|in eighteen forty "x\nb|only this\nc|first|\nd||\n', problems)
    assert [(entry.file, entry.reference) for entry in entries] == [
        ("a", 'in eighteen forty "x'),
        ("b", "only this"),
        ("c", "first"),
    ]
    assert problems == ["line 4: no text of what is spoken"]


def test_an_id_with_a_dot_stays_whole_and_a_file_name_loses_its_ending() -> None:
    entries = read_transcripts("a.b-1 one\nc.flac two\n\n", [])
    assert [(entry.clip_id, entry.file) for entry in entries] == [("a.b-1", "a.b-1"), ("c", "c.flac")]


def test_a_recording_of_kaldi_that_is_refused_is_told_once() -> None:
    problems: list[str] = []
    assert read_kaldi("a sox x.sph -t wav - |\n", "a words\n", None, problems) == []
    assert problems == ["wav.scp line 1: a is made by a command, which is not run: save its output"]

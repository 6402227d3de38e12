from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from clip_folders import problems_of
from data_sets import aishell, common_voice, lines, put, write

from stt_load.clips.data_set import read_data_set
from stt_load.clips.folder import load_folder

STT_LOAD = Path(sys.executable).parent / "stt-load"


def test_of_several_lists_one_must_be_named(tmp_path: Path) -> None:
    common_voice(tmp_path)
    text = (tmp_path / "test.tsv").read_text()
    (tmp_path / "dev.tsv").write_text("".join(text.splitlines(keepends=True)[:2]))
    (problem,) = problems_of(tmp_path)
    assert problem == (
        f"{tmp_path} holds several lists of clips (dev.tsv, test.tsv): "
        f"name one of them, such as {tmp_path / 'dev.tsv'}, instead of the folder"
    )
    loaded = load_folder(tmp_path / "dev.tsv", 16000)
    assert len(loaded.clips) == 1
    assert loaded.notes == (
        "2 audio files are not listed and not used: clips/common_voice_en_1.mp3, clips/common_voice_en_2.mp3",
    )


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    write(tmp_path / "notes.csv", "a,b\n1,2\n")
    (problem,) = problems_of(tmp_path / "notes.csv")
    assert "is a file, not a folder, and no list of clips that is known" in problem


def test_bad_rows_and_missing_files_are_told_with_their_lines(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    rows = ("a.wav\tone", "b.wav\ttwo", "c.wav", "\tfour", "a.wav\t ")
    write(tmp_path / "test.tsv", "path\tsentence\n" + "\n".join(rows))
    told = problems_of(tmp_path)
    listing = tmp_path / "test.tsv"
    assert told == (
        f"{listing} line 4: 1 cells, the header has 2: a cell may hold no tab and no line break "
        "(write such texts as JSON lines)",
        f"{listing} line 5: `path` must be the name of a file",
        f"{listing} line 6: no text of what is spoken: `sentence` is empty",
        f"{listing} line 3: {tmp_path / 'clips' / 'b.wav'}: the file is missing",
    )


@pytest.mark.parametrize(
    ("on_disk", "listed"),
    [("caf\u00e9.wav", "cafe\u0301.wav"), ("cafe\u0301.wav", "caf\u00e9.wav"), ("w/a.wav", "w\\a.wav")],
    ids=["composed", "decomposed", "Windows"],
)
def test_a_file_is_found_however_its_name_was_written(tmp_path: Path, on_disk: str, listed: str) -> None:
    put(tmp_path / on_disk)
    write(tmp_path / "clips.jsonl", lines({"file": listed, "reference": "x", "clip_id": "a"}))
    loaded = load_folder(tmp_path, None)
    assert len(loaded.clips) == 1 and loaded.notes == ()


def test_a_loop_of_links_is_walked_once(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    write(tmp_path / "a.txt", "x")
    (tmp_path / "loop").symlink_to(tmp_path)
    problems: list[str] = []
    assert len(read_data_set(tmp_path, problems).entries) == 1 and problems == []


def test_a_folder_of_links_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "data" / "a.wav")
    write(tmp_path / "data" / "a.txt", "x")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "linked").symlink_to(tmp_path / "data")
    loaded = load_folder(tmp_path / "clips", None)
    assert (len(loaded.clips), loaded.notes) == (1, ())


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    for ending, content in ((b".wav", (tmp_path / "a.wav").read_bytes()), (b".txt", b"x")):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9" + ending)).write_bytes(content)
    (tmp_path / "a.wav").unlink()
    loaded = load_folder(tmp_path, None)
    assert [clip.clip_id for clip in loaded.clips] == ["caf\ufffd"] and len(loaded.manifest_sha256) == 64
    shown = subprocess.run([STT_LOAD, "clips", "show", tmp_path], capture_output=True, timeout=60)
    assert shown.returncode == 0 and b"Traceback" not in shown.stderr


@pytest.mark.parametrize("name", ["a\0.wav", "x" * 300 + ".wav", "~nobody/a.wav", "clips.jsonl/a.wav", "."])
def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path, name: str) -> None:
    write(tmp_path / "clips.jsonl", lines({"file": name, "reference": "x", "clip_id": "a"}))
    (problem,) = problems_of(tmp_path)
    assert "can't be read" in problem or "the file is missing" in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_below_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "below").mkdir(mode=0)
    (problem,) = problems_of(tmp_path)
    assert problem == f"{tmp_path / 'below'}: can't be read (Permission denied)"


def test_a_data_set_whose_texts_are_not_found_is_sent_to_the_docs(tmp_path: Path) -> None:
    for n in range(8):
        put(tmp_path / "wav" / f"{n}.wav")
    write(tmp_path / "transcript" / "all.txt", "0 one\n1 two\n")
    *told, last = problems_of(tmp_path)
    assert len(told) == 8 and all("no reference text" in problem for problem in told)
    assert last == f"{tmp_path}: no audio file has a text, and there is no list that is known: see docs/clips.md"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (
            "test.tsv",
            "path\tsatz\n0.wav\teins\n",
            "it begins with path, satz, and none of these names a text (reference, transcription, sentence, text,",
        ),
        ("metadata.csv", "name;words\n0.wav;eins\n", "names a file (audio_filepath, "),
        ("data/metadata.csv", "file_name,label\n0.wav,3\n", "it begins with file_name, label, and none of these"),
        ("manifest.json", '{"audio_filepath": "0.wav", "duration": 3}\n', "duration, and none of these"),
        ("manifest.json", '[{"audio_filepath": "0.wav", "text": "x"}]', "it is a JSON list: write one object a line"),
        ("manifest.jsonl", '{"audio_filepath": "0.wav", "text": "x"\n', "line 1: not JSON"),
        ("manifest.jsonl", "{}\n", "it begins with nothing, and none of these names a file ("),
        ("test.csv", "\n", "it is empty"),
    ],
)
def test_a_list_that_is_not_read_says_what_its_columns_lack(tmp_path: Path, name: str, text: str, reason: str) -> None:
    put(tmp_path / "0.wav")
    write(tmp_path / name, text)
    first, beside, last = problems_of(tmp_path)
    assert first.startswith(f"{tmp_path / name}: is not read as a list: ") and reason in first
    assert "no reference text" in beside and "no list that is known" in last
    (alone,) = problems_of(tmp_path / name)
    assert reason in alone or "/" in name


def test_a_file_beside_clips_with_texts_is_nobodys_list(tmp_path: Path) -> None:
    put(tmp_path / "0.wav")
    write(tmp_path / "0.txt", "x")
    put(tmp_path / "1.wav")
    write(tmp_path / "config.json", "{}")
    (problem,) = problems_of(tmp_path)
    assert "1.wav: no reference text" in problem


def test_texts_of_parts_that_are_not_there_are_counted(tmp_path: Path) -> None:
    aishell(tmp_path)
    (tmp_path / "wav/test/S1/BAC009S1.wav").unlink()
    loaded = load_folder(tmp_path, None)
    assert [clip.clip_id for clip in loaded.clips] == ["BAC009S0", "BAC009S2"]
    assert loaded.notes == ("left out: 1 text of the list has no audio here",)

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from clip_folders import problems_of, put, put_manifest
from small_disk import no_room_beyond
from tones import tone

from stt_load.audio.clip import Clip, ClipWord
from stt_load.audio.manifest import MANIFEST_NAME
from stt_load.clips.folder import load_folder, write_folder
from stt_load.errors import ClipError, ConfigError, WriteError

SPEECH = (pytest.approx(0.1, abs=0.011), pytest.approx(0.9, abs=0.011))


def test_every_bad_file_is_told_at_once_one_line_each(tmp_path: Path) -> None:
    put(tmp_path, "good.wav")
    put(tmp_path, "wordless.wav", text=None)
    put(tmp_path, "blank_text.wav", text=" \n")
    put(tmp_path, "latin_text.wav").with_suffix(".txt").write_bytes("Grüße".encode("latin-1"))
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "rubbish.flac").write_bytes(b"rubbish")
    cut = put(tmp_path, "cut.wav")
    cut.write_bytes(cut.read_bytes()[:2000])
    for name in ("silent", "empty", "rubbish"):
        (tmp_path / f"{name}.txt").write_text("hello")
    told = problems_of(tmp_path)
    expected = {
        "wordless.wav": "no reference text",
        "blank_text.wav": "blank_text.txt is empty",
        "latin_text.wav": "can't be read as UTF-8",
        "silent.wav": "silence only",
        "empty.wav": "the file is empty",
        "rubbish.flac": "it is text and no audio: rubbish",
        "cut.wav": "cut short",
    }
    assert len(told) == len(expected)
    for name, reason in expected.items():
        (line,) = [line for line in told if str(tmp_path / name) in line]
        assert reason in line


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text(""), "is a file, not a folder"),
        (lambda path: path.mkdir(), "holds no audio file (wav, flac, ogg, opus or mp3)"),
    ],
    ids=["missing", "file", "empty"],
)
def test_a_folder_that_is_none_is_one_line(tmp_path: Path, make: object, reason: str) -> None:
    folder = tmp_path / "clips"
    make(folder)  # type: ignore[operator]
    (problem,) = problems_of(folder)
    assert str(folder) in problem and reason in problem


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    put(tmp_path, "a.flac")
    (problem,) = problems_of(tmp_path)
    assert "clip id 'a' is used 2 times" in problem


def test_a_hand_written_manifest_is_enough_and_its_bounds_are_kept(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", 48000, text=None)
    put(tmp_path, "b.wav", 48000, text=None)
    put(tmp_path, "c.wav", 48000, text=None)
    put_manifest(
        tmp_path,
        {"file": "b.wav", "reference": "bee", "speech_start_s": 0.2, "speech_end_s": 0.7},
        {"file": "a.wav", "reference": "ay", "clip_id": "first"},
    )
    clips = load_folder(tmp_path, 16000)
    assert [(clip.clip_id, clip.reference) for clip in clips.clips] == [("b", "bee"), ("first", "ay")]
    assert (clips.clips[0].speech_start_s, clips.clips[0].speech_end_s) == (0.2, 0.7)
    assert (clips.clips[1].speech_start_s, clips.clips[1].speech_end_s) == SPEECH
    assert clips.notes == ("1 audio file is not listed and not used: c.wav",)


def test_wrong_manifest_lines_and_wrong_files_are_told_together(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", text=None)
    put_manifest(
        tmp_path, {"file": "a.wav"}, {"file": "gone.wav", "reference": "x"}, {"file": "a.wav", "reference": "x"}
    )
    told = problems_of(tmp_path)
    assert len(told) == 2
    assert "clips.jsonl line 1: `reference` missing" in told[0]
    assert "gone.wav: the file is missing" in told[1]


def test_an_empty_manifest_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    put_manifest(tmp_path)
    (problem,) = problems_of(tmp_path)
    assert "lists no clip" in problem


def test_what_macos_leaves_behind_and_hidden_files_are_nobodys_clips(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    (tmp_path / "._a.wav").write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    for folder in (".cache", "__MACOSX"):
        (tmp_path / folder).mkdir()
        put(tmp_path / folder, "x.wav", text=None)
    loaded = load_folder(tmp_path, None)
    assert (len(loaded.clips), loaded.notes) == (1, ())


def test_a_reference_may_hold_what_unicode_calls_a_line_separator(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", text=None)
    reference = "one\u2028two\x85three\x0cfour"
    line = json.dumps({"file": "a.wav", "reference": reference}, ensure_ascii=False)
    (tmp_path / MANIFEST_NAME).write_text(line + "\n", encoding="utf-8")
    (clip,) = load_folder(tmp_path, None).clips
    assert clip.reference == reference


WORDS = (ClipWord("the", 0.1, 0.2), ClipWord("“words”", 0.25, 0.6))


def clip(clip_id: str = "a") -> Clip:
    samples = np.round(tone(0.5, 22050, lead_s=0.1) * 32767).astype(np.int16)
    return Clip(clip_id, "the “words”", samples, 22050, 0.1, 0.6, words=WORDS)


def test_what_is_written_is_loaded_again_sample_for_sample(tmp_path: Path) -> None:
    out = tmp_path / "new" / "clips"
    write_folder(out, [clip("a"), clip("b")], {"engine": "test"})
    loaded = load_folder(out, None)
    assert [item.clip_id for item in loaded.clips] == ["a", "b"]
    assert np.array_equal(loaded.clips[0].samples, clip().samples)
    assert (loaded.clips[0].speech_start_s, loaded.clips[0].speech_end_s) == (0.1, 0.6)
    assert (loaded.clips[0].reference, loaded.clips[0].words) == ("the “words”", WORDS)
    assert loaded.manifest_sha256 == hashlib.sha256((out / MANIFEST_NAME).read_bytes()).hexdigest()
    first = json.loads((out / MANIFEST_NAME).read_text().splitlines()[0])
    assert first["sha256"] == hashlib.sha256((out / "a.wav").read_bytes()).hexdigest()
    assert first["source"] == {"engine": "test"}


@pytest.mark.parametrize("stop", [ClipError("no speech"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_nothing_is_left_when_writing_stops_half_way(tmp_path: Path, stop: BaseException) -> None:
    def clips() -> Iterator[Clip]:
        yield clip()
        raise stop

    with pytest.raises(type(stop)):
        write_folder(tmp_path / "clips", clips(), {})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_has_left_is_removed_by_a_later_one(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from stt_load.clips.folder import write_folder
def clips():
    os.kill(os.getpid(), signal.SIGKILL)
    yield from ()
write_folder(Path(sys.argv[1]), clips(), {})
"""
    line = [sys.executable, "-c", program, str(tmp_path / "clips")]
    assert [subprocess.run(line).returncode for _ in range(2)] == [-signal.SIGKILL] * 2
    abandoned, new = tmp_path.glob(".clips.*.part")
    os.utime(abandoned, (0, 0))
    write_folder(tmp_path / "clips", [clip()], {})
    assert set(tmp_path.iterdir()) == {new, tmp_path / "clips"}, "the new one may be another process's at work"


def test_a_folder_that_holds_something_is_left_alone_and_an_empty_one_is_filled(tmp_path: Path) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "precious").touch()
    with pytest.raises(FileExistsError):
        write_folder(full, [clip()], {})
    write_folder(empty, [clip()], {})
    assert [file.name for file in full.iterdir()] == ["precious"]
    assert len(load_folder(empty, None).clips) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "full"]


def test_a_disk_that_is_full_leaves_no_half_of_a_folder(tmp_path: Path) -> None:
    with no_room_beyond(1_000), pytest.raises(WriteError, match=r"can't write clips to .*: File too large; choose"):
        write_folder(tmp_path / "clips", [clip()], {})
    assert not list(tmp_path.iterdir())


def test_a_disk_that_says_no_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="can't write clips to") as refused:
        write_folder(tmp_path / "file" / "clips", [clip()], {})
    assert len(refused.value.problems) == 1 and "\n" not in refused.value.problems[0]

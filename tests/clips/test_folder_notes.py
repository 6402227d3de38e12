from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from clip_folders import problems_of, put, put_manifest
from tones import tone

from stt_load.clips.folder import load_folder


def test_what_a_header_said_wrongly_is_noted(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        file = put(tmp_path, name)
        data = bytearray(file.read_bytes())
        data[4:8] = data[40:44] = (2_000_000_000).to_bytes(4, "little")
        file.write_bytes(data)
    loaded = load_folder(tmp_path, None)
    assert [clip.duration_s for clip in loaded.clips] == [pytest.approx(1.2)] * 2
    assert loaded.notes == (
        "2 files are taken as long as the audio that is there, whatever the header says: "
        "a.wav: its header doesn't say how long it is, b.wav: its header doesn't say how long it is",
    )


def test_audio_that_is_not_used_is_counted_and_named(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    (tmp_path / "below").mkdir()
    for name in ("b.m4a", "below/c.webm"):
        (tmp_path / name).write_bytes(b"\0\0\0\x1cftypM4A ")
    (note,) = load_folder(tmp_path, None).notes
    assert note == (
        "2 audio files are not used, since libsndfile can't read such files: b.m4a, below/c.webm; "
        "convert them (ffmpeg -i IN -ar 16000 -ac 1 OUT.flac)"
    )


def test_a_folder_of_audio_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.m4a").write_bytes(b"\0\0\0\x1cftypM4A ")
    (problem,) = problems_of(tmp_path)
    assert "no audio that libsndfile can read (b.m4a): convert it (ffmpeg" in problem


def test_a_data_set_that_is_packed_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("A data set.")
    for name in ("data/test-00000-of-00001.parquet", "data/dev.tar.gz"):
        (tmp_path / name).write_bytes(b"PAR1")
    (problem,) = problems_of(tmp_path)
    assert problem == (
        f"clips folder {tmp_path} holds no audio file, but data/dev.tar.gz, data/test-00000-of-00001.parquet: "
        "unpack or export it to audio files with a list (docs/clips.md, “Packed data sets”, has the lines for parquet)"
    )


def test_files_outside_of_the_folder_are_used_and_named(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    put(outside, "a.wav", text=None)
    put(outside, "b.wav", text=None)
    put_manifest(
        inside,
        {"file": "../outside/a.wav", "reference": "x"},
        {"file": str(outside / "b.wav"), "reference": "x"},
    )
    loaded = load_folder(inside, None)
    assert [clip.clip_id for clip in loaded.clips] == ["a", "b"]
    assert loaded.notes == (f"2 files are outside {inside}: {outside / 'a.wav'}, {outside / 'b.wav'}",)


def test_long_silence_after_the_speech_is_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(0.5, 16000, tail_s=0.8), 16000)
    (tmp_path / "a.txt").write_text("hello")
    (note,) = load_folder(tmp_path, 16000).notes
    assert note.startswith("1 clip has more than 0.5 s of silence")

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import tone

from stt_load.audio.clip import Clip
from stt_load.audio.manifest import MANIFEST_NAME
from stt_load.clips.folder import load_folder, write_folder
from stt_load.errors import ClipError, ConfigError

# What a tone of 0.8 s with 0.1 s before and 0.3 s after it must look like, whatever file it comes from.
SPEECH = (pytest.approx(0.1, abs=0.011), pytest.approx(0.9, abs=0.011))


def put(
    folder: Path, name: str, rate_hz: int = 16000, channels: int = 1, text: str | None = "hello", **how: str
) -> Path:
    wave = tone(0.8, rate_hz, lead_s=0.1, tail_s=0.3)
    soundfile.write(folder / name, np.stack([wave] * channels, axis=1), rate_hz, **how)
    if text is not None:
        (folder / name).with_suffix(".txt").write_text(text)
    return folder / name


def put_manifest(folder: Path, *rows: dict) -> None:
    (folder / MANIFEST_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))


def problems_of(folder: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load_folder(folder, 16000)
    assert all("\n" not in problem for problem in refused.value.problems)
    return refused.value.problems


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels", "subtype"),
    [
        ("eight_bit.wav", 8000, 1, "PCM_U8"),
        ("stereo.wav", 16000, 2, "PCM_16"),
        ("high_rate.wav", 96000, 1, "PCM_16"),
        ("deep.flac", 48000, 1, "PCM_24"),
        ("all_at_once.wav", 96000, 2, "PCM_24"),
        ("lossy.ogg", 44100, 2, "VORBIS"),
        ("LOUD.WAV", 22050, 1, "FLOAT"),
    ],
)
def test_any_depth_rate_and_channel_count_becomes_mono_16_khz(
    tmp_path: Path, name: str, rate_hz: int, channels: int, subtype: str
) -> None:
    put(tmp_path, name, rate_hz, channels, text="Hello\nthere. ", subtype=subtype)
    (clip,) = load_folder(tmp_path, 16000).clips
    assert (clip.clip_id, clip.reference, clip.sample_rate_hz) == (Path(name).stem, "Hello there.", 16000)
    assert clip.samples.dtype == np.int16 and clip.samples.ndim == 1
    assert clip.duration_s == pytest.approx(1.2, abs=1e-3)
    assert (clip.speech_start_s, clip.speech_end_s) == SPEECH


def test_without_a_wanted_rate_each_clip_keeps_its_own(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", 8000)
    put(tmp_path, "b.wav", 48000)
    assert [clip.sample_rate_hz for clip in load_folder(tmp_path, None).clips] == [8000, 48000]


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


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"sha256": "0" * 64}, "its sha256 differs"),
        ({"n_samples": 5}, "says n_samples 5, the file has 19200"),
        ({"sample_rate_hz": 8000}, "says sample_rate_hz 8000, the file has 16000"),
        ({"speech_end_s": 9.0}, "is not within its length of 1.200 s"),
        ({"speech_start_s": 1.0}, "speech from 1.000 to 0.9"),
        ({"file": "gone.wav"}, "the file is missing"),
        ({"offset_s": 2.0}, "from 2 s: the clip is from 2.00 to 1.20 s, but the file is 1.20 s long"),
        ({"offset_s": 1.0, "duration_s": 1.0}, "the clip is from 1.00 to 2.00 s, but the file is 1.20 s long"),
    ],
)
def test_a_manifest_that_is_not_true_of_its_file_is_refused(tmp_path: Path, told: dict, reason: str) -> None:
    put(tmp_path, "a.wav", text=None)
    put_manifest(tmp_path, {"file": "a.wav", "reference": "x"} | told)
    (problem,) = problems_of(tmp_path)
    assert reason in problem


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


def test_part_of_a_file_can_be_a_clip(tmp_path: Path) -> None:
    put(tmp_path, "long.wav", text=None)
    put_manifest(
        tmp_path,
        {"file": "long.wav", "reference": "one", "offset_s": 0.3, "duration_s": 0.4},
        {"file": "long.wav", "reference": "two", "offset_s": 0.7},
        {"file": "long.wav", "reference": "all", "clip_id": "whole"},
    )
    data = bytearray((tmp_path / "long.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    (tmp_path / "long.wav").write_bytes(data)
    loaded = load_folder(tmp_path, None)
    (note,) = loaded.notes  # once for the file
    assert note.startswith("1 file is taken as long as the audio that is there")
    assert [(clip.clip_id, clip.duration_s) for clip in loaded.clips] == [
        ("long@0.3", pytest.approx(0.4)),
        ("long@0.7", pytest.approx(0.5)),
        ("whole", pytest.approx(1.2)),
    ]
    first, second, whole = (clip.samples for clip in loaded.clips)
    assert np.array_equal(np.concatenate([first, second]), whole[4800:])
    assert loaded.clips[1].speech_end_s == pytest.approx(0.2, abs=0.011)


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


def test_what_macos_leaves_behind_and_hidden_files_are_nobodys_clips(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    (tmp_path / "._a.wav").write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    for folder in (".cache", "__MACOSX"):
        (tmp_path / folder).mkdir()
        put(tmp_path / folder, "x.wav", text=None)
    loaded = load_folder(tmp_path, None)
    assert (len(loaded.clips), loaded.notes) == (1, ())


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "b.txt").write_text("x")
    (problem,) = problems_of(tmp_path)
    assert problem.endswith("b.wav: a link to a file that is not there")


def test_a_reference_may_hold_what_unicode_calls_a_line_separator(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", text=None)
    reference = "one\u2028two\x85three\x0cfour"
    line = json.dumps({"file": "a.wav", "reference": reference}, ensure_ascii=False)
    (tmp_path / MANIFEST_NAME).write_text(line + "\n", encoding="utf-8")
    (clip,) = load_folder(tmp_path, None).clips
    assert clip.reference == reference


def test_long_silence_after_the_speech_is_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(0.5, 16000, tail_s=0.8), 16000)
    (tmp_path / "a.txt").write_text("hello")
    (note,) = load_folder(tmp_path, 16000).notes
    assert note.startswith("1 clips have more than 0.5 s of silence")


def clip(clip_id: str = "a") -> Clip:
    samples = np.round(tone(0.5, 22050, lead_s=0.1) * 32767).astype(np.int16)
    return Clip(clip_id, "the “words”", samples, 22050, 0.1, 0.6)


def test_what_is_written_is_loaded_again_sample_for_sample(tmp_path: Path) -> None:
    out = tmp_path / "new" / "clips"
    write_folder(out, [clip("a"), clip("b")], {"engine": "test"})
    loaded = load_folder(out, None)
    assert [item.clip_id for item in loaded.clips] == ["a", "b"]
    assert np.array_equal(loaded.clips[0].samples, clip().samples)
    assert (loaded.clips[0].speech_start_s, loaded.clips[0].speech_end_s) == (0.1, 0.6)
    assert loaded.clips[0].reference == "the “words”"
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


def test_a_disk_that_says_no_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="can't write clips to") as refused:
        write_folder(tmp_path / "file" / "clips", [clip()], {})
    assert len(refused.value.problems) == 1 and "\n" not in refused.value.problems[0]


def test_speech_never_ends_after_the_clip_though_resampling_rounds_its_length(tmp_path: Path) -> None:
    for n in range(11_025, 11_035):  # speech to the last sample
        soundfile.write(tmp_path / f"{n}.wav", tone(n / 22_050, 22_050), 22_050)
        (tmp_path / f"{n}.txt").write_text("hello")
    clips = load_folder(tmp_path, 16_000).clips
    assert any(len(clip.samples) / 16_000 < int(clip.clip_id) / 22_050 for clip in clips), "some are rounded down"
    assert all(clip.speech_end_s <= clip.duration_s for clip in clips)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from clip_folders import problems_of, put, put_manifest
from tones import tone

from stt_load.audio.clip import ClipWord
from stt_load.clips.folder import load_folder

SPEECH = (pytest.approx(0.1, abs=0.011), pytest.approx(0.9, abs=0.011))


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


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"sha256": "0" * 64}, "its sha256 differs"),
        ({"n_samples": 5}, "says n_samples 5, the file has 19200"),
        ({"sample_rate_hz": 8000}, "says sample_rate_hz 8000, the file has 16000"),
        ({"speech_end_s": 9.0}, "is not within its length of 1.200 s"),
        ({"speech_start_s": 1.0}, "speech from 1.000 to 0.9"),
        ({"file": "gone.wav"}, "the file is missing"),
        ({"words": [["x", 0.1, 1.3]]}, "`words` go on until 1.300 s, beyond its length of 1.200 s"),
        ({"offset_s": 2.0}, "from 2 s: the clip is from 2.00 to 1.20 s, but the file is 1.20 s long"),
        ({"offset_s": 1.0, "duration_s": 1.0}, "the clip is from 1.00 to 2.00 s, but the file is 1.20 s long"),
    ],
)
def test_a_manifest_that_is_not_true_of_its_file_is_refused(tmp_path: Path, told: dict, reason: str) -> None:
    put(tmp_path, "a.wav", text=None)
    put_manifest(tmp_path, {"file": "a.wav", "reference": "x"} | told)
    (problem,) = problems_of(tmp_path)
    assert reason in problem


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


def test_a_link_to_nothing_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "b.txt").write_text("x")
    (problem,) = problems_of(tmp_path)
    assert problem.endswith("b.wav: a link to a file that is not there")


def test_speech_never_ends_after_the_clip_though_resampling_rounds_its_length(tmp_path: Path) -> None:
    for n in range(11_025, 11_035):  # speech to the last sample
        soundfile.write(tmp_path / f"{n}.wav", tone(n / 22_050, 22_050), 22_050)
        (tmp_path / f"{n}.txt").write_text("hello")
    clips = load_folder(tmp_path, 16_000).clips
    assert any(len(clip.samples) / 16_000 < int(clip.clip_id) / 22_050 for clip in clips), "some are rounded down"
    assert all(clip.speech_end_s <= clip.duration_s for clip in clips)


def test_words_of_a_manifest_count_from_the_clips_first_sample_whatever_rate_and_part_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", text=None)
    line = {"file": "a.wav", "reference": "hello there", "words": [["hello", 0.1, 0.4], ["there", 0.4, 0.8]]}
    put_manifest(tmp_path, line | {"clip_id": "whole"}, line | {"clip_id": "part", "offset_s": 0.05})
    for clip in load_folder(tmp_path, 8000).clips:
        assert clip.words == (ClipWord("hello", 0.1, 0.4), ClipWord("there", 0.4, 0.8))

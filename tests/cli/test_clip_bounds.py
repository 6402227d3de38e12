from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stt_load.audio.resample import resample
from stt_load.cli.clip_bounds import WIDTH, bounds_lines
from stt_load.clips import espeak
from stt_load.clips.folder import load_folder

RATE_HZ = 16_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clip with half a second of a quiet room on both sides of its speech."""
    folder = tmp_path / "clips"
    folder.mkdir()
    spoken = espeak.speak("Please hold the line.", "en-us")
    speech = resample(spoken.samples, spoken.sample_rate_hz, RATE_HZ) / 32768.0
    wave = np.pad(speech, RATE_HZ // 2)
    wave += np.random.default_rng(1).normal(0, 0.0005, len(wave))
    soundfile.write(folder / "a.wav", wave, RATE_HZ)
    (folder / "a.txt").write_text("Please hold the line.")
    return folder


def test_a_clip_is_drawn_with_the_bounds_that_a_run_takes(folder: Path) -> None:
    (clip,) = load_folder(folder, None).clips
    name, blocks, span, found, sure, blank = bounds_lines(load_folder(folder, None))
    assert name.startswith("a  ")
    assert len(blocks) <= 2 + WIDTH and set(blocks) <= set(" ▁▂▃▄▅▆▇█") and "█" in blocks
    assert span.index("├") - 2 == int(WIDTH * clip.speech_start_s / clip.duration_s)
    assert span.index("┤") - 2 == int(WIDTH * clip.speech_end_s / clip.duration_s)
    assert found == f"  found  {clip.speech_start_s:.3f} to {clip.speech_end_s:.3f} s"
    assert (sure, blank) == ("  sure", "")


def test_bounds_that_are_given_are_printed_with_those_that_were_found(folder: Path) -> None:
    found_s = load_folder(folder, None).clips[0].speech_end_s
    row = {"file": "a.wav", "reference": "hold", "speech_start_s": 0.4, "speech_end_s": round(found_s + 0.2, 6)}
    (folder / "clips.jsonl").write_text(json.dumps(row) + "\n")
    clips = load_folder(folder, None)
    assert clips.clips[0].speech_end_s == pytest.approx(found_s + 0.2)
    lines = list(bounds_lines(clips))
    assert lines[3] == f"  given  0.400 to {found_s + 0.2:.3f} s"
    assert lines[4].startswith("  found  ") and lines[4].endswith(": the given end is 200 ms later")


def test_what_is_uncertain_is_said(folder: Path) -> None:
    samples, rate_hz = soundfile.read(folder / "a.wav", dtype="int16")
    soundfile.write(folder / "a.wav", samples[: round(1.2 * rate_hz)], rate_hz)
    assert "  unsure: speech ends at the file's edge" in bounds_lines(load_folder(folder, None))


def test_a_clip_of_an_instant_is_drawn(tmp_path: Path) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(0.03 * RATE_HZ)) / RATE_HZ)
    soundfile.write(tmp_path / "a.wav", wave, RATE_HZ)
    (tmp_path / "a.txt").write_text("a")
    assert len(list(bounds_lines(load_folder(tmp_path, None)))) == 6

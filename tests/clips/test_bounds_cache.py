from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tones import tone

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.codec import to_int16
from stt_load.audio.found_speech import find_speech
from stt_load.clips import bounds_cache
from stt_load.clips.bounds_cache import remembered_speech
from stt_load.errors import ClipError

RATE_HZ = 16_000
SAMPLES = to_int16(tone(0.4, RATE_HZ, lead_s=0.1, tail_s=0.3))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path))
    return tmp_path / "bounds"


def test_a_clip_is_listened_to_once_whatever_asks_for_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = remembered_speech(SAMPLES, RATE_HZ)
    assert first == find_speech(SAMPLES, RATE_HZ)
    assert first.doubts == (Doubt.NO_VOICE,)
    monkeypatch.setattr(bounds_cache, "find_speech", None)
    assert remembered_speech(SAMPLES.copy(), RATE_HZ) == first
    assert len(list(cache.iterdir())) == 1


def test_other_samples_and_another_rate_are_other_clips(cache: Path) -> None:
    for samples, rate_hz in ((SAMPLES, RATE_HZ), (SAMPLES // 2, RATE_HZ), (SAMPLES, 8_000)):
        remembered_speech(samples, rate_hz)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"{}", b'{"start_s": 0, "end_s": "x"}', b"\xff"])
def test_a_damaged_file_is_found_anew(cache: Path, rubbish: bytes) -> None:
    found = remembered_speech(SAMPLES, RATE_HZ)
    (file,) = cache.iterdir()
    file.write_bytes(rubbish)
    assert remembered_speech(SAMPLES, RATE_HZ) == found
    assert file.read_bytes() != rubbish


def test_a_file_with_another_digit_is_found_anew(cache: Path) -> None:
    found = remembered_speech(SAMPLES, RATE_HZ)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"end_s": 0.', b'"end_s": 1.'))
    assert remembered_speech(SAMPLES, RATE_HZ) == found
    assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "file"))
    assert remembered_speech(SAMPLES, RATE_HZ) == find_speech(SAMPLES, RATE_HZ)


def test_silence_is_refused_and_not_remembered(cache: Path) -> None:
    with pytest.raises(ClipError, match="silence only"):
        remembered_speech(np.zeros(RATE_HZ, np.int16), RATE_HZ)
    assert not cache.exists()

"""Real clips rendered once for all tests here, and what a TTS server would send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import tts_stand_in
from tones import tone

from stt_load.clips.folder import ClipSet
from stt_load.clips.library import default_clips


@pytest.fixture(scope="session")
def english_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder into which the shipped texts have been rendered, the standard ones included."""
    cache = tmp_path_factory.mktemp("cache")
    default_clips(16000, include_standard=True, cache=cache)
    return cache


@pytest.fixture(scope="session")
def english_clips(english_cache: Path) -> ClipSet:
    return default_clips(16000, include_standard=True, cache=english_cache)


@pytest.fixture
def tts_server() -> Iterator[tts_stand_in.TtsStandIn]:
    with tts_stand_in.running() as server:
        yield server


@pytest.fixture(scope="session")
def spoken_wav(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a TTS server would send: 24 kHz, silence around half a second of sound."""
    file = tmp_path_factory.mktemp("wav") / "spoken.wav"
    soundfile.write(file, tone(0.5, 24000, lead_s=0.2, tail_s=0.7), 24000, subtype="PCM_16")
    return file.read_bytes()

from __future__ import annotations

import numpy as np
import pytest
from recordings import NOISES, RATE_HZ, gain, sentence
from tones import tone

from stt_load.audio.sound_levels import levels_dbfs, pitches_hz, runs_of, without_rumble


def test_the_level_of_a_tone_is_its_rms() -> None:
    levels = levels_dbfs(tone(0.5, RATE_HZ, amplitude=0.5), RATE_HZ)
    assert np.median(levels) == pytest.approx(-9.0, abs=0.2)


def test_an_offset_and_hum_are_taken_away_and_speech_is_left_where_it_was() -> None:
    speech = sentence(0)
    dirty = speech + 0.05 + NOISES["hum"](np.random.default_rng(1), len(speech)) * gain(-40)
    clean = without_rumble(dirty, RATE_HZ)
    assert abs(np.mean(clean)) < 1e-4
    ahead = without_rumble(speech, RATE_HZ)
    assert np.corrcoef(clean, ahead)[0, 1] > 0.98


def test_nothing_stays_nothing() -> None:
    assert len(without_rumble(np.zeros(0), RATE_HZ)) == 0
    assert len(levels_dbfs(np.zeros(0), RATE_HZ)) == 1


@pytest.mark.parametrize("pitch_hz", [90.0, 150.0, 320.0])
def test_the_pitch_of_a_voice_is_found(pitch_hz: float) -> None:
    moments = np.arange(RATE_HZ) / RATE_HZ
    voice = sum(np.sin(2 * np.pi * pitch_hz * n * moments) / n for n in range(1, 9))
    found = pitches_hz(np.asarray(voice), RATE_HZ, 0.1, 0.8)
    assert len(found) > 50
    assert np.median(found) == pytest.approx(pitch_hz, rel=0.05)


def test_noise_has_no_pitch() -> None:
    assert len(pitches_hz(NOISES["pink"](np.random.default_rng(2), RATE_HZ), RATE_HZ, 0.0, 1.0)) == 0


def test_a_span_without_room_for_a_window_has_no_pitch() -> None:
    assert len(pitches_hz(tone(0.02, RATE_HZ), RATE_HZ, 0.0, 0.02)) == 0


def test_runs_are_told_by_their_first_place_and_the_one_after_their_last() -> None:
    assert runs_of(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
    assert runs_of(np.zeros(3, bool)) == []

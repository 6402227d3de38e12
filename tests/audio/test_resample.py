from __future__ import annotations

import numpy as np
import pytest
from tones import tone

from stt_load.audio.codec import to_int16
from stt_load.audio.resample import resample


@pytest.mark.parametrize("from_hz", [8000, 22050, 24000, 48000, 96000])
def test_a_tone_keeps_its_length_loudness_and_place(from_hz: int) -> None:
    samples = resample(to_int16(tone(0.5, from_hz, lead_s=0.2)), from_hz, 16000)
    assert samples.dtype == np.int16
    assert abs(len(samples) - 0.7 * 16000) <= 1
    expected = tone(0.5, 16000, lead_s=0.2)[: len(samples)] * 32768
    middle = slice(round(0.25 * 16000), round(0.65 * 16000))
    assert np.abs(samples[middle] - expected[middle]).max() < 100  # of 16384: no delay, no change of level


def test_what_the_new_rate_cannot_carry_is_gone_rather_than_folded_down() -> None:
    wave = 0.5 * np.sin(2 * np.pi * 10_000 * np.arange(24_000) / 24_000)
    samples = resample(to_int16(wave.astype(np.float32)), 24_000, 16_000)
    assert np.abs(samples[1_000:-1_000]).max() <= 16  # of 16384: 60 dB down


def test_equal_rates_give_the_same_samples() -> None:
    samples = to_int16(tone(0.1, 16000))
    assert resample(samples, 16000, 16000) is samples


def test_full_scale_does_not_wrap_around() -> None:
    square = np.repeat(np.tile(np.array([32767, -32768], np.int16), 50), 40)
    resampled = resample(square, 24000, 16000)
    assert resampled.max() == 32767 and resampled.min() == -32768  # overshoot clipped
    assert np.sign(resampled[5:20].astype(int)).tolist() == [1] * 15

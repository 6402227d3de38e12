from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import NOISES, SPEECH_DBFS, gain, placed, sentence
from tones import tone

from stt_load.audio.clip import PcmArray
from stt_load.audio.codec import to_int16
from stt_load.audio.resample import resample
from stt_load.audio.sound_levels import HOP_S
from stt_load.audio.speech_bounds import SpeechBounds, cut_to_bounds, find_pauses, find_sound
from stt_load.clips import espeak
from stt_load.errors import ClipError

RATE_HZ = 16000
WITHIN_S = 0.0101  # a window


@given(
    lead_s=st.floats(0, 1),
    tail_s=st.floats(0, 1),
    seconds=st.floats(0.1, 1),
    rate_hz=st.sampled_from([8000, 22050, 48000]),
)
def test_a_tone_in_silence_is_found_to_within_a_window(
    lead_s: float, tail_s: float, seconds: float, rate_hz: int
) -> None:
    found = find_sound(to_int16(tone(seconds, rate_hz, lead_s, tail_s)), rate_hz)
    assert found.start_s == pytest.approx(lead_s, abs=WITHIN_S)
    assert found.end_s == pytest.approx(lead_s + seconds, abs=WITHIN_S)


def test_pauses_inside_count_as_speech() -> None:
    wave = np.concatenate([tone(0.5, RATE_HZ, 0.2, 0.8), tone(0.5, RATE_HZ, 0, 0.3)])
    found = find_sound(to_int16(wave), RATE_HZ)
    assert (found.start_s, found.end_s) == (pytest.approx(0.2, abs=WITHIN_S), pytest.approx(2.0, abs=WITHIN_S))


def test_a_weak_last_sound_30_db_under_the_vowel_is_speech() -> None:
    """A word that ends in f: the last tenth of a second is that quiet."""
    wave = np.concatenate([tone(0.8, RATE_HZ), tone(0.1, RATE_HZ, tail_s=0.4, amplitude=0.5 / 10 ** (30 / 20))])
    assert find_sound(to_int16(wave), RATE_HZ).end_s == pytest.approx(0.9, abs=WITHIN_S)


@pytest.mark.parametrize("below_db", [20, 30, 40, 50])
def test_steady_noise_is_not_speech(below_db: float) -> None:
    rng = np.random.default_rng(1)
    wave = tone(1.0, RATE_HZ, lead_s=0.5, tail_s=0.6)
    noisy = wave + rng.normal(0, 0.35 / 10 ** (below_db / 20), len(wave))
    found = find_sound(to_int16(noisy), RATE_HZ)
    assert found.start_s == pytest.approx(0.5, abs=0.03)
    assert found.end_s == pytest.approx(1.5, abs=0.03)


def test_a_click_before_the_speech_is_not_speech() -> None:
    wave = tone(0.5, RATE_HZ, lead_s=1.0, tail_s=0.5)
    wave[1600:1610] = 0.9
    assert find_sound(to_int16(wave), RATE_HZ).start_s == pytest.approx(1.0, abs=WITHIN_S)


def test_the_end_never_lies_behind_the_last_sample() -> None:
    samples = to_int16(tone(0.333, RATE_HZ))
    assert find_sound(samples, RATE_HZ).end_s <= len(samples) / RATE_HZ


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE_HZ, np.int16),
        np.zeros(0, np.int16),
        np.random.default_rng(1).integers(-3, 4, RATE_HZ).astype(np.int16),
    ],
    ids=["zeros", "nothing", "dither"],
)
def test_silence_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(ClipError, match="silence only"):
        find_sound(samples, RATE_HZ)


@pytest.mark.parametrize("seconds", [1 / RATE_HZ, 0.005, 0.010, 0.019])
def test_a_lone_click_is_refused(seconds: float) -> None:
    samples = to_int16(tone(seconds, RATE_HZ, lead_s=0.5023, tail_s=0.5))
    samples[8037] = 30000
    with pytest.raises(ClipError, match="no speech"):
        find_sound(samples, RATE_HZ)


@pytest.mark.parametrize("text", ["A big laugh.", "Thank you for calling. Please hold.", "Hello there."])
def test_real_speech_has_the_same_bounds_after_silence_is_added_and_at_another_rate(text: str) -> None:
    spoken = espeak.speak(text, "en-us")
    alone = find_sound(spoken.samples, spoken.sample_rate_hz)
    lead, tail = np.zeros(spoken.sample_rate_hz // 2, np.int16), np.zeros(spoken.sample_rate_hz, np.int16)
    found = find_sound(resample(np.concatenate([lead, spoken.samples, tail]), spoken.sample_rate_hz, RATE_HZ), RATE_HZ)
    assert found.start_s - 0.5 == pytest.approx(alone.start_s, abs=WITHIN_S)
    assert found.end_s - 0.5 == pytest.approx(alone.end_s, abs=WITHIN_S)


@pytest.mark.parametrize(("lead_s", "tail_s"), [(0.0, 0.0), (0.02, 0.9), (0.8, 0.03)])
def test_cutting_leaves_exactly_the_pad_on_both_sides(lead_s: float, tail_s: float) -> None:
    samples = to_int16(tone(0.4, RATE_HZ, lead_s, tail_s))
    whole = find_sound(samples, RATE_HZ)
    cut, speech = cut_to_bounds(samples, RATE_HZ, whole, pad_s=0.05)
    assert speech.start_s == 0.05
    assert speech.end_s - speech.start_s == pytest.approx(whole.end_s - whole.start_s, abs=1e-4)
    assert len(cut) / RATE_HZ == pytest.approx(speech.end_s + 0.05, abs=1e-4)


def longest_pause_s(samples: PcmArray, rate_hz: int, bounds: SpeechBounds) -> float:
    return max((pause.length_s for pause in find_pauses(samples, rate_hz, bounds)), default=0.0)


def test_pauses_are_told_in_order_with_the_place_where_each_begins() -> None:
    words = [tone(0.3, RATE_HZ, 0.7, 0.12), tone(0.3, RATE_HZ, 0, 0.28), tone(0.3, RATE_HZ, 0, 0.9)]
    samples = to_int16(np.concatenate(words))
    pauses = find_pauses(samples, RATE_HZ, find_sound(samples, RATE_HZ))
    assert [pause.start_s for pause in pauses] == pytest.approx([1.0, 1.42], abs=2 * HOP_S)
    assert [pause.length_s for pause in pauses] == pytest.approx([0.12, 0.28], abs=2 * HOP_S)


def test_the_longest_pause_is_found_whatever_silence_surrounds_the_speech() -> None:
    words = [tone(0.3, RATE_HZ, 0.7, 0.12), tone(0.3, RATE_HZ, 0, 0.28), tone(0.3, RATE_HZ, 0, 0.9)]
    samples = to_int16(np.concatenate(words))
    pause_s = longest_pause_s(samples, RATE_HZ, find_sound(samples, RATE_HZ))
    assert 0.28 - HOP_S <= pause_s <= 0.28


@given(pause_s=st.floats(0.03, 0.6), rate_hz=st.sampled_from([8000, 16000, 22050, 48000]))
def test_a_pause_is_measured_to_within_one_hop_and_never_too_long(pause_s: float, rate_hz: int) -> None:
    samples = to_int16(np.concatenate([tone(0.3, rate_hz, 0.1, pause_s), tone(0.3, rate_hz, 0, 0.2)]))
    found_s = longest_pause_s(samples, rate_hz, find_sound(samples, rate_hz))
    n_samples_s = round(pause_s * rate_hz) / rate_hz
    # A sine begins and ends with samples that are next to nothing.
    assert n_samples_s - HOP_S - 5 / rate_hz <= found_s <= n_samples_s + 5 / rate_hz


def test_a_click_does_not_end_a_pause() -> None:
    wave = np.concatenate([tone(0.3, RATE_HZ, tail_s=0.3), tone(0.3, RATE_HZ)])
    wave[round(0.45 * RATE_HZ)] = 0.9
    samples = to_int16(wave)
    assert longest_pause_s(samples, RATE_HZ, find_sound(samples, RATE_HZ)) == pytest.approx(0.3, abs=HOP_S)


def test_steady_noise_in_a_pause_is_a_pause() -> None:
    wave = np.concatenate([tone(0.5, RATE_HZ, 0.4, 0.3), tone(0.5, RATE_HZ, 0, 0.4)])
    samples = to_int16(wave + np.random.default_rng(1).normal(0, 0.35 / 10 ** (30 / 20), len(wave)))
    assert longest_pause_s(samples, RATE_HZ, find_sound(samples, RATE_HZ)) == pytest.approx(0.3, abs=0.03)


def test_speech_without_a_pause_has_none() -> None:
    samples = to_int16(tone(0.5, RATE_HZ, 0.2, 0.3))
    assert longest_pause_s(samples, RATE_HZ, find_sound(samples, RATE_HZ)) == 0.0


def test_silence_is_one_pause() -> None:
    assert longest_pause_s(np.zeros(RATE_HZ, np.int16), RATE_HZ, SpeechBounds(0.2, 0.7)) == pytest.approx(0.5)


def test_two_sentences_have_a_pause_between_them_and_one_has_none_of_that_length() -> None:
    def pause_s(words: str) -> float:
        spoken = espeak.speak(words, "en-us")
        return longest_pause_s(spoken.samples, spoken.sample_rate_hz, find_sound(spoken.samples, spoken.sample_rate_hz))

    assert pause_s("Thank you for calling. Please hold the line.") > 0.25
    assert pause_s("Thank you for calling us on the other line.") < 0.2


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("snr_db", [40, 30, 20])
def test_a_pause_in_noise_is_a_pause(noise: str, snr_db: float) -> None:
    wave, start_s, end_s = placed(np.concatenate([sentence(0), np.zeros(RATE_HZ), sentence(1)]), 0.3, 0.3)
    noisy = wave + NOISES[noise](np.random.default_rng(snr_db), len(wave)) * gain(SPEECH_DBFS - snr_db)
    found = find_pauses(to_int16(noisy), RATE_HZ, SpeechBounds(start_s, end_s))
    longest = max(found, key=lambda pause: pause.length_s)
    assert longest.length_s == pytest.approx(1.0, abs=0.2)
    assert longest.start_s == pytest.approx(start_s + len(sentence(0)) / RATE_HZ, abs=0.15)


@pytest.mark.parametrize("noise", NOISES)
def test_noise_makes_no_long_pause_in_a_sentence_that_has_none(noise: str) -> None:
    wave, start_s, end_s = placed(sentence(0), 0.3, 0.3)
    noisy = wave + NOISES[noise](np.random.default_rng(1), len(wave)) * gain(SPEECH_DBFS - 30)
    assert longest_pause_s(to_int16(noisy), RATE_HZ, SpeechBounds(start_s, end_s)) < 0.3

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from recordings import (
    MARGIN_S,
    NOISES,
    RATE_HZ,
    SENTENCES,
    Recording,
    beep,
    breath,
    click,
    gain,
    in_noise,
    placed,
    reverberant,
    sentence,
    with_accident,
    with_offset,
)
from tones import tone

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.codec import to_int16
from stt_load.audio.found_speech import FoundSpeech, find_speech
from stt_load.audio.resample import resample
from stt_load.audio.speech_bounds import find_sound
from stt_load.clips import espeak
from stt_load.errors import ClipError

pytestmark = pytest.mark.slow

EVERY_SENTENCE = range(len(SENTENCES))


@cache
def found(recording: Recording) -> FoundSpeech:
    return find_speech(recording.samples, RATE_HZ)


def end_errors_s(recordings: list[Recording]) -> np.ndarray:
    return np.array([found(recording).bounds.end_s - recording.end_s for recording in recordings])


@pytest.mark.parametrize("text", ["A big laugh.", "Thank you for calling. Please hold.", "Hello there."])
def test_in_digital_silence_the_level_alone_decides_and_is_exact(text: str) -> None:
    spoken = espeak.speak(text, "en-us")
    silence = np.zeros(spoken.sample_rate_hz // 2, np.int16)
    samples = np.concatenate([silence, spoken.samples, silence])
    speech = find_speech(samples, spoken.sample_rate_hz)
    assert speech == FoundSpeech(find_sound(samples, spoken.sample_rate_hz), speech.bounds.end_s)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("snr_db", "median_s", "within_s"), [(40, 0.05, 0.08), (30, 0.08, 0.16)])
@pytest.mark.parametrize("margin_s", [0.15, MARGIN_S])
def test_noise_does_not_move_the_end_of_speech(
    noise: str, snr_db: float, median_s: float, within_s: float, margin_s: float
) -> None:
    errors_s = end_errors_s([in_noise(n, NOISES[noise], snr_db, margin_s) for n in EVERY_SENTENCE])
    assert abs(np.median(errors_s)) <= median_s
    assert np.max(np.abs(errors_s)) <= within_s


def test_in_noise_of_20_db_most_ends_are_within_a_tenth_of_a_second() -> None:
    errors_s = end_errors_s([in_noise(n, noise, 20, MARGIN_S) for noise in NOISES.values() for n in EVERY_SENTENCE])
    assert np.mean(np.abs(errors_s) <= 0.10) >= 0.85
    assert abs(np.median(errors_s)) <= 0.05


def test_the_start_is_found_as_well() -> None:
    errors_s = [
        found(recording).bounds.start_s - recording.start_s
        for recording in (in_noise(n, noise, 30, MARGIN_S) for noise in NOISES.values() for n in EVERY_SENTENCE)
    ]
    assert np.max(np.abs(errors_s)) <= 0.10


@pytest.mark.parametrize(
    "make",
    [
        lambda n: with_accident(n, breath(), 0.2),
        lambda n: with_accident(n, click(0.040), 0.4),
        lambda n: with_accident(n, click(0.010, -20.0), 0.4),
        lambda n: with_accident(n, click(0.080, -35.0), 0.8),
        lambda n: with_accident(n, beep(), 0.7),
        lambda n: with_offset(n, 0.02),
        lambda n: with_offset(n, -0.005),
    ],
    ids=["breath", "click of 40 ms", "click of 10 ms", "handset", "beep", "offset", "negative offset"],
)
def test_what_is_no_voice_is_no_speech(make: Callable[[int], Recording]) -> None:
    assert np.max(np.abs(end_errors_s([make(n) for n in EVERY_SENTENCE]))) <= 0.06


def test_a_breath_before_the_first_word_is_no_speech() -> None:
    wave, start_s, _ = placed(sentence(0), lead_s=1.0)
    wave[3_200 : 3_200 + len(breath())] += breath()
    assert find_speech(to_int16(wave), RATE_HZ).bounds.start_s == pytest.approx(start_s, abs=0.06)


def test_a_word_after_a_long_pause_is_speech() -> None:
    wave = np.concatenate([sentence(0), np.zeros(2 * RATE_HZ), sentence(1)])
    noisy, _, end_s = placed(wave)
    noisy += NOISES["pink"](np.random.default_rng(1), len(noisy)) * gain(-60)
    assert find_speech(to_int16(noisy), RATE_HZ).bounds.end_s == pytest.approx(end_s, abs=0.10)


def test_a_room_that_rings_makes_speech_longer_by_no_more_than_its_ringing() -> None:
    errors_s = end_errors_s([reverberant(n, 0.3) for n in EVERY_SENTENCE])
    assert np.all((errors_s > -0.08) & (errors_s < 0.22))


def test_where_speech_has_ended_in_any_case_nothing_of_it_is_lost() -> None:
    recordings = [in_noise(n, noise, 30, MARGIN_S) for noise in NOISES.values() for n in EVERY_SENTENCE]
    lost_s = [recording.end_s - found(recording).latest_end_s for recording in recordings]
    assert max(lost_s) <= 0.05
    assert all(found(recording).latest_end_s >= found(recording).bounds.end_s for recording in recordings[:6])


def test_the_same_recording_has_the_same_bounds_at_another_rate() -> None:
    recording = in_noise(2, NOISES["pink"], 30, MARGIN_S)
    other = find_speech(resample(recording.samples, RATE_HZ, 44_100), 44_100)
    assert other.bounds.end_s == pytest.approx(found(recording).bounds.end_s, abs=0.04)


def doubts_of(wave: np.ndarray) -> set[Doubt]:
    return set(find_speech(to_int16(wave), RATE_HZ).doubts)


def test_sound_without_a_voice_has_its_bounds_by_level_and_is_doubted() -> None:
    samples = to_int16(tone(0.8, RATE_HZ, lead_s=0.1, tail_s=0.3))
    assert find_speech(samples, RATE_HZ) == FoundSpeech(
        find_sound(samples, RATE_HZ), find_sound(samples, RATE_HZ).end_s, (Doubt.NO_VOICE,)
    )


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (np.zeros(0, np.int16), "silence only"),
        (np.zeros(RATE_HZ, np.int16), "silence only"),
        (np.full(RATE_HZ, 655, np.int16), "silence only"),
        (np.random.default_rng(1).integers(-3, 4, RATE_HZ).astype(np.int16), "silence only"),
        (to_int16(tone(0.010, RATE_HZ, lead_s=0.5, tail_s=0.5)), "no speech"),
    ],
    ids=["nothing", "zeros", "an offset", "dither", "a click"],
)
def test_what_holds_no_speech_is_refused(samples: np.ndarray, why: str) -> None:
    with pytest.raises(ClipError, match=why):
        find_speech(samples, RATE_HZ)


@pytest.mark.parametrize("n_samples", [1, 7, 79, 80, 511, 512, 513])
def test_the_shortest_clips_have_bounds_within_them_or_are_refused(n_samples: int) -> None:
    samples = to_int16(tone(n_samples / RATE_HZ, RATE_HZ))
    try:
        bounds = find_speech(samples, RATE_HZ).bounds
    except ClipError:
        return
    assert 0 <= bounds.start_s < bounds.end_s <= n_samples / RATE_HZ

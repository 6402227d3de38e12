from __future__ import annotations

import numpy as np
from recordings import (
    MARGIN_S,
    NOISES,
    RATE_HZ,
    SENTENCES,
    Recording,
    babble,
    gain,
    in_noise,
    placed,
    sentence,
)

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.codec import to_int16
from stt_load.audio.found_speech import FoundSpeech, find_speech


def doubts_of(wave: np.ndarray) -> set[Doubt]:
    return set(find_speech(to_int16(wave), RATE_HZ).doubts)


def found(recording: Recording) -> FoundSpeech:
    return find_speech(recording.samples, RATE_HZ)


EVERY_SENTENCE = range(len(SENTENCES))


def test_a_recording_of_a_quiet_room_leaves_no_doubt() -> None:
    assert not any(found(in_noise(n, NOISES["pink"], 40, MARGIN_S)).doubts for n in EVERY_SENTENCE)


def test_hum_is_not_taken_for_voices() -> None:
    assert not any(Doubt.BACKGROUND in found(in_noise(n, NOISES["hum"], 25, MARGIN_S)).doubts for n in EVERY_SENTENCE)


def test_speech_that_touches_the_edges_of_its_file_is_doubted() -> None:
    assert {Doubt.CUT_AT_START, Doubt.CUT_AT_END} <= doubts_of(sentence(0))


def test_babble_is_doubted() -> None:
    doubted = [found(in_noise(n, babble, 20, MARGIN_S)).doubts for n in EVERY_SENTENCE]
    assert all(doubted)
    assert sum(Doubt.BACKGROUND in doubts for doubts in doubted) >= len(SENTENCES) // 3


def test_a_last_word_that_is_hardly_louder_than_the_noise_is_doubted() -> None:
    wave, _, end_s = placed(sentence(1))
    fading = slice(round((end_s - 0.7) * RATE_HZ), round(end_s * RATE_HZ))
    wave[fading] *= 10 ** (np.linspace(0, -30, fading.stop - fading.start) / 20)
    noise = NOISES["pink"](np.random.default_rng(3), len(wave)) * gain(-45)
    assert Doubt.WEAK_END in doubts_of(wave + noise)


def test_two_people_are_told_from_one() -> None:
    low, high = sentence(3), sentence(4)  # a man, a woman
    pause, noise = np.zeros(RATE_HZ), NOISES["pink"](np.random.default_rng(4), 12 * RATE_HZ) * gain(-65)
    two, _, _ = placed(np.concatenate([low, pause, high]))
    one, _, _ = placed(np.concatenate([low, pause, low]))
    assert Doubt.SEVERAL_VOICES in doubts_of(two + noise[: len(two)])
    assert Doubt.SEVERAL_VOICES not in doubts_of(one + noise[: len(one)])


def test_every_doubt_has_words() -> None:
    assert len({doubt.words for doubt in Doubt}) == len(Doubt)


def test_speech_that_is_cut_off_in_a_word_is_not_called_weak_as_well() -> None:
    recording = in_noise(0, NOISES["pink"], 40, MARGIN_S)
    cut = recording.samples[: round((recording.end_s - 0.5) * RATE_HZ)]
    assert find_speech(cut, RATE_HZ).doubts == (Doubt.CUT_AT_END,)

"""Derived clips: what is asked of them is what is measured in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from recordings import RATE_HZ, SENTENCES, placed, sentence

from stt_load.audio.clip import Clip, ClipWord, Pause
from stt_load.audio.codec import to_int16
from stt_load.audio.derived import (
    AS_IT_IS,
    base_id,
    derive,
    gain_of,
    in_words,
    is_speech,
    name_of,
    recipes,
    rms,
    speech_rms,
)
from stt_load.audio.framing import FrameRule, cut_frames
from stt_load.audio.joined import MOST_AUDIO_S, Joined
from stt_load.audio.line_codecs import ALAW, MULAW, Through
from stt_load.audio.loudness import AtLevel
from stt_load.audio.noises import NOISES, InNoise, of_file
from stt_load.audio.sound_levels import to_wave
from stt_load.audio.speech_bounds import pauses_of
from stt_load.errors import ConfigError


def spoken(number: int) -> Clip:
    wave, start_s, end_s = placed(sentence(number), lead_s=0.1, tail_s=0.2)
    return Clip(f"s{number}", SENTENCES[number], to_int16(wave), RATE_HZ, start_s, end_s, latest_end_s=end_s + 0.05)


@pytest.fixture(scope="module")
def pool() -> list[Clip]:
    return [spoken(number) for number in range(len(SENTENCES))]


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio))


def noise_in(noisy: Clip, clean: Clip) -> np.ndarray:
    return to_wave(noisy.samples) - to_wave(clean.samples)


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 0.0])
@pytest.mark.parametrize("name", NOISES)
def test_the_noise_under_the_speech_is_as_far_under_it_as_was_asked(pool: list[Clip], name: str, snr_db: float) -> None:
    noisy = derive(pool, (InNoise(name, NOISES[name], snr_db),))
    for clean, clip in zip(pool, noisy, strict=True):
        assert np.abs(clip.samples.astype(int)).max() < 32_767, "nothing is clipped or turned down here"
        measured_db = decibels(speech_rms(clean) / rms(noise_in(clip, clean)[is_speech(clean)]))
        assert measured_db == pytest.approx(snr_db, abs=0.05)
        assert (clip.speech_start_s, clip.speech_end_s) == (clean.speech_start_s, clean.speech_end_s)
        assert clip.latest_end_s == clean.latest_end_s
        assert pauses_of(clip) == pauses_of(clean)


def test_noise_goes_on_behind_the_clip_where_silence_is_sent(pool: list[Clip]) -> None:
    clip = derive(pool, (InNoise("white", NOISES["white"], 10.0),))[0]
    frames = cut_frames(clip, FrameRule(100, 1_600, RATE_HZ), trailing_silence_s=8.0)
    sent = to_wave(np.frombuffer(b"".join(frames), "<i2"))
    behind = sent[len(clip.samples) :]
    assert len(behind) >= 8 * RATE_HZ
    wanted = speech_rms(pool[0]) * gain_of(-10.0)
    for first in range(0, len(behind) - RATE_HZ, RATE_HZ):
        assert decibels(rms(behind[first : first + RATE_HZ]) / wanted) == pytest.approx(0.0, abs=0.5)


def test_a_clip_without_a_room_is_followed_by_digital_silence(pool: list[Clip]) -> None:
    frames = cut_frames(pool[0], FrameRule(100, 1_600, RATE_HZ), trailing_silence_s=1.0)
    assert not np.frombuffer(b"".join(frames), "<i2")[len(pool[0].samples) :].any()


def test_a_pause_counts_neither_as_speech_nor_for_its_level(pool: list[Clip]) -> None:
    first, second = pool[0], pool[1]
    silence = np.zeros(RATE_HZ, np.int16)
    samples = np.concatenate([first.samples, silence, second.samples])
    end_s = first.duration_s + 1.0 + second.speech_end_s
    both = replace(first, samples=samples, speech_end_s=end_s)
    energy = [speech_rms(clip) ** 2 * is_speech(clip).sum() for clip in (first, second)]
    n = is_speech(first).sum() + is_speech(second).sum()
    assert speech_rms(both) == pytest.approx(np.sqrt(sum(energy) / n), rel=0.02)


def test_where_the_sum_is_beyond_full_scale_the_clip_is_turned_down_and_keeps_its_snr(pool: list[Clip]) -> None:
    loud = derive(pool[:3], (AtLevel(-22.0),))
    clip = derive(loud, (InNoise("white", NOISES["white"], -15.0),))[0]
    assert clip.room is not None
    assert 32_700 < np.abs(np.concatenate([clip.samples, clip.room]).astype(int)).max() <= 32_768
    at = is_speech(loud[0])
    clean, mixed = to_wave(loud[0].samples)[at], to_wave(clip.samples)[at]
    speech_gain = (mixed @ clean) / (clean @ clean)  # the noise is no part of the speech
    noise = mixed - speech_gain * clean
    assert decibels(rms(speech_gain * clean) / rms(noise)) == pytest.approx(-15.0, abs=0.2)


def test_the_same_recipe_gives_the_same_clip_and_other_clips_other_noise(pool: list[Clip]) -> None:
    recipe = (InNoise("babble", NOISES["babble"], 10.0),)
    once, again = derive(pool, recipe), derive(pool, recipe)
    assert all(np.array_equal(a.samples, b.samples) and a.origin == b.origin for a, b in zip(once, again, strict=True))
    first, second = (noise_in(once[n], pool[n])[:8_000] for n in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3


def test_the_same_noise_is_heard_at_every_snr(pool: list[Clip]) -> None:
    quiet, loud = (derive(pool, (InNoise("street", NOISES["street"], snr_db),))[0] for snr_db in (20.0, 10.0))
    assert np.corrcoef(noise_in(quiet, pool[0]), noise_in(loud, pool[0]))[0, 1] > 0.999


def test_babble_holds_nothing_of_the_clip_itself(pool: list[Clip]) -> None:
    marked = [replace(clip, samples=np.zeros_like(clip.samples)) if n else clip for n, clip in enumerate(pool)]
    tone = to_int16(np.float32(0.1) * np.sin(np.arange(len(pool[1].samples)) * 0.3).astype(np.float32))
    marked = [pool[0], *(replace(clip, samples=np.resize(tone, len(clip.samples)), pauses=()) for clip in marked[1:])]
    noise = noise_in(derive(marked, (InNoise("babble", NOISES["babble"], 10.0),))[0], pool[0])
    spectrum = np.abs(np.fft.rfft(noise))
    at = spectrum.argmax() / len(noise) * 2 * np.pi
    assert at == pytest.approx(0.3, abs=0.001)
    near = np.abs(np.arange(len(spectrum)) / len(noise) * 2 * np.pi - 0.3) < 0.02
    assert (spectrum[near] ** 2).sum() > 0.98 * (spectrum**2).sum()


def test_babble_of_a_pool_with_too_few_clips_is_refused(pool: list[Clip]) -> None:
    with pytest.raises(ConfigError, match="it takes 3 clips or more"):
        derive(pool[:2], (InNoise("babble", NOISES["babble"], 10.0),))


def test_the_noise_of_a_file_goes_on_from_its_beginning_where_it_is_too_short(pool: list[Clip]) -> None:
    hum = np.sin(2 * np.pi * 100 * np.arange(RATE_HZ // 2) / RATE_HZ)
    noise = noise_in(derive(pool, (InNoise("hum", of_file(hum), 15.0),))[0], pool[0])
    assert rms(noise[-RATE_HZ // 2 :]) == pytest.approx(rms(noise[: RATE_HZ // 2]), rel=0.01)


def test_a_silent_file_is_no_noise(pool: list[Clip]) -> None:
    with pytest.raises(ConfigError, match="it is silent"):
        derive(pool, (InNoise("void", of_file(np.zeros(100)), 15.0),))


@pytest.mark.parametrize("dbfs", [-22.0, -30.0, -45.0])
def test_speech_is_as_loud_as_was_asked(pool: list[Clip], dbfs: float) -> None:
    for clip in derive(pool, (AtLevel(dbfs),)):
        assert decibels(speech_rms(clip)) == pytest.approx(dbfs, abs=0.05)


def test_a_level_beyond_full_scale_is_refused_with_the_highest_that_is_not(pool: list[Clip]) -> None:
    with pytest.raises(
        ConfigError, match=r"--level -3: s\d is beyond full scale then: -\d+ is the most for these clips"
    ) as caught:
        derive(pool, (AtLevel(-3.0),))
    most_dbfs = float(str(caught.value).split(": ")[-1].split(" ")[0])
    assert (
        np.abs(np.concatenate([clip.samples for clip in derive(pool, (AtLevel(most_dbfs),))]).astype(int)).max()
        <= 32_767
    )


def test_joined_clips_say_all_their_words_one_after_the_other(pool: list[Clip]) -> None:
    joined = derive(pool, (Joined(10.0),))
    assert [clip.clip_id for clip in joined] == [f"s{n}+join10s" for n in range(len(pool))]
    for clip, first in zip(joined, pool, strict=True):
        assert 10.0 <= clip.duration_s < 10.0 + max(part.duration_s for part in pool)
        assert clip.reference.startswith(first.reference)
        said = [sentence for sentence in SENTENCES if sentence in clip.reference]
        assert " ".join(sorted(said, key=clip.reference.index)) == clip.reference, "none is in it twice"
        parts = [pool[SENTENCES.index(sentence)] for sentence in sorted(said, key=clip.reference.index)]
        assert np.array_equal(clip.samples, np.concatenate([part.samples for part in parts]))
        assert clip.speech_start_s == first.speech_start_s
        assert clip.duration_s - clip.speech_end_s == pytest.approx(parts[-1].duration_s - parts[-1].speech_end_s)
        assert clip.latest_end_s == pytest.approx(clip.speech_end_s + 0.05)
    assert len({clip.origin for clip in joined}) == len(joined)


def test_the_words_of_a_joined_clip_are_where_they_sound(pool: list[Clip]) -> None:
    timed = [replace(clip, words=(ClipWord(clip.reference, clip.speech_start_s, clip.speech_end_s),)) for clip in pool]
    joined = Joined(8.0).apply(timed)[2]
    assert " ".join(word.text for word in joined.words) == joined.reference
    before_s = 0.0
    for word in joined.words:
        part = next(clip for clip in pool if clip.reference == word.text)
        assert word.start_s == pytest.approx(before_s + part.speech_start_s)
        assert word.end_s == pytest.approx(before_s + part.speech_end_s)
        before_s += part.duration_s
    half_known = [*timed[:1], *pool[1:]]
    assert Joined(8.0).apply(half_known)[0].words == (), "of a word whose time is not known nothing is said"


def test_a_short_pool_is_joined_over_and_over(pool: list[Clip]) -> None:
    one, two = derive(pool[:2], (Joined(30.0),))
    assert one.duration_s >= 30.0
    assert two.duration_s >= 30.0
    assert {word for word in (SENTENCES[0], SENTENCES[1]) if one.reference.count(word) > 2} == set(SENTENCES[:2])


def test_joined_clips_are_no_more_than_an_hour_of_audio_where_the_pool_is_shorter(pool: list[Clip]) -> None:
    many = [replace(pool[n % len(pool)], clip_id=f"c{n}") for n in range(600)]
    joined = Joined(600.0).apply(many)
    assert sum(clip.duration_s for clip in joined) <= MOST_AUDIO_S + len(joined) * 4.0


def test_a_recipe_is_named_in_the_id_and_in_words(pool: list[Clip]) -> None:
    recipe = (AtLevel(-30.0), InNoise("babble", NOISES["babble"], 20.0), Through(MULAW, MULAW.encode))
    assert name_of(recipe) == "level-30+babble20+mulaw8k"
    assert in_words(recipe) == "-30 dBFS, babble 20 dB, G.711 µ-law"
    clip = derive(pool, recipe)[0]
    assert clip.clip_id == "s0+level-30+babble20+mulaw8k"
    assert base_id(clip.clip_id, recipe) == "s0"
    assert clip.reference == pool[0].reference
    assert name_of(()) == in_words(()) == AS_IT_IS
    assert [clip.clip_id for clip in derive(pool, ())] == [clip.clip_id for clip in pool]


def test_every_choice_goes_with_every_other() -> None:
    codecs = [None, Through(MULAW, MULAW.encode), Through(ALAW, ALAW.encode)]
    noises = [InNoise("white", NOISES["white"], snr_db) for snr_db in (20.0, 10.0)]
    names = [name_of(recipe) for recipe in recipes(noises, codecs)]
    assert names == ["white20", "white20+mulaw8k", "white20+alaw8k", "white10", "white10+mulaw8k", "white10+alaw8k"]
    assert recipes([None], [None]) == ((),)


class Drawl:
    """A step of somebody else's, which gives clips of another length with pauses of their own."""

    name, in_words = "drawl", "with a pause"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        gap = np.zeros(RATE_HZ, np.int16)
        return [
            replace(
                clip,
                samples=np.concatenate([clip.samples[:RATE_HZ], gap, clip.samples[RATE_HZ:]]),
                speech_end_s=clip.speech_end_s + 1.0,
            )
            for clip in clips
        ]


def test_noise_hides_no_pause_that_another_step_has_made(pool: list[Clip]) -> None:
    clip = derive(pool, (Drawl(), InNoise("white", NOISES["white"], 5.0)))[0]
    assert clip.clip_id == "s0+drawl+white5"
    assert any(isinstance(pause, Pause) and pause.length_s > 0.95 for pause in pauses_of(clip))
    assert clip.speech_end_s == pool[0].speech_end_s + 1.0

"""The clips of a run as its options want them: named, remembered where that takes long, and refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.clip import Clip
from stt_load.audio.found_speech import FoundSpeech
from stt_load.audio.speech_bounds import SpeechBounds
from stt_load.audio.texts import english_set
from stt_load.clips.derived_clips import derivation_of, derived_clips
from stt_load.clips.folder import ClipSet
from stt_load.clips.library import clips_from_tts
from stt_load.config import parse_options
from stt_load.errors import ConfigError
from stt_load.tts.engines import voice_of

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> ClipSet:
    texts = dict(list(english_set().items())[:4])
    return clips_from_tts(voice_of("espeak"), texts, RATE_HZ, cache=tmp_path_factory.mktemp("spoken"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STT_LOAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def derived(clean: ClipSet, **options: str) -> ClipSet:
    return derived_clips(clean, parse_options(options), RATE_HZ)


def test_without_options_clips_are_spoken_as_they_are(clean: ClipSet) -> None:
    assert derived(clean) is clean


def test_a_derived_set_says_what_it_is(clean: ClipSet) -> None:
    clips = derived(clean, noise="white", codec="mulaw8k", level="-30")
    assert [clip.clip_id for clip in clips.clips] == [f"{c.clip_id}+level-30+white20+mulaw8k" for c in clean.clips]
    assert clips.source == f"{clean.source}; -30 dBFS, white 20 dB, G.711 µ-law"
    others = [derived(clean, noise="white", codec=codec, level="-30") for codec in ("alaw8k", "none")]
    assert len({found.manifest_sha256 for found in (clean, clips, *others)}) == 4
    assert derived(clean, noise="white", codec="mulaw8k", level="-30").manifest_sha256 == clips.manifest_sha256


def test_several_values_make_a_variant_of_each_clip(clean: ClipSet) -> None:
    clips = derived(clean, snr="clean,10", codec="none,alaw8k").clips
    assert len(clips) == 4 * len(clean.clips)
    ends = {clip.clip_id.removeprefix("english-01") for clip in clips if clip.clip_id.startswith("english-01")}
    assert ends == {"", "+alaw8k", "+babble10", "+babble10+alaw8k"}
    as_it_is = next(clip for clip in clips if clip.clip_id == "english-01")
    assert np.array_equal(as_it_is.samples, clean.clips[0].samples)


@pytest.mark.parametrize("speed", [0.7, 1.5, 2.2])
def test_a_fast_talker_says_the_same_words_in_less_time_with_the_same_voice(clean: ClipSet, speed: float) -> None:
    fast = derived(clean, speed=str(speed)).clips
    assert [clip.clip_id for clip in fast] == [f"{clip.clip_id}+speed{speed:g}" for clip in clean.clips]
    for slow_clip, fast_clip in zip(clean.clips, fast, strict=True):
        assert fast_clip.reference == slow_clip.reference
        assert [word.text for word in fast_clip.words] == [word.text for word in slow_clip.words]
        assert fast_clip.words[0].start_s == pytest.approx(fast_clip.speech_start_s, abs=0.01)
        assert fast_clip.words[-1].end_s == pytest.approx(fast_clip.speech_end_s, abs=0.01)
        assert slow_clip.speech_s / fast_clip.speech_s == pytest.approx(speed, rel=0.2)
        assert pitch_hz(fast_clip) == pytest.approx(pitch_hz(slow_clip), rel=0.1)  # played faster, it would be × speed


def pitch_hz(clip: Clip) -> float:
    """The frequency at which the loudest fifth of the clip repeats itself best, between 60 and 200 Hz."""
    frames = clip.samples[: len(clip.samples) // 800 * 800].reshape(-1, 800).astype(np.float64)  # 50 ms
    loudness = (frames**2).sum(axis=1)
    lags = np.arange(RATE_HZ // 200, RATE_HZ // 60)
    found = []
    for frame in frames[loudness >= np.quantile(loudness, 0.8)]:
        likeness = np.correlate(frame, frame, "full")[len(frame) - 1 :]
        found.append(RATE_HZ / lags[np.argmax(likeness[lags])])
    return float(np.median(found))


def test_a_doubt_about_the_end_of_a_clip_is_one_about_all_that_is_made_of_it(clean: ClipSet) -> None:
    found = FoundSpeech(SpeechBounds(0.1, 1.0), 1.2, (Doubt.CUT_AT_START,))
    unsure = replace(clean, found={clean.clips[1].clip_id: found})
    doubts = derived(unsure, codec="mulaw8k,alaw8k").doubts
    assert doubts.keys() == {f"{clean.clips[1].clip_id}+mulaw8k", f"{clean.clips[1].clip_id}+alaw8k"}


def test_what_opus_made_is_kept_and_made_anew_where_it_is_damaged(clean: ClipSet, cache: Path) -> None:
    first = derived(clean, codec="opus")
    files = sorted((cache / "lines").iterdir())
    assert len(files) == len(clean.clips)
    made = [file.stat().st_mtime_ns for file in files]
    again = derived(clean, codec="opus")
    assert [file.stat().st_mtime_ns for file in files] == made
    files[0].write_bytes(files[0].read_bytes()[:200])
    mended = derived(clean, codec="opus")
    assert files[0].stat().st_mtime_ns != made[0]
    for clips in (again, mended):
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first.clips, clips.clips, strict=True))


def test_noise_of_a_file_is_taken_at_the_rate_of_the_clips(clean: ClipSet, tmp_path: Path) -> None:
    hum = 0.5 * np.sin(2 * np.pi * 400 * np.arange(96_000) / 48_000)
    soundfile.write(tmp_path / "fan.wav", np.stack([hum, hum], axis=1), 48_000)
    clips = derived(clean, noise=str(tmp_path / "fan.wav"), snr="5")
    assert clips.clips[0].clip_id == "english-01+fan5"
    noise = clips.clips[0].samples.astype(float) - clean.clips[0].samples
    assert np.abs(np.fft.rfft(noise)).argmax() / len(noise) * RATE_HZ == pytest.approx(400, abs=2)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "can't be read (No such file or directory)"), (b"no audio", "it is text and no audio")]
)
def test_a_file_that_is_no_noise_is_refused(clean: ClipSet, tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "noise.wav"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        derived(clean, noise=str(file))
    assert str(caught.value).startswith(f"--noise {file}: ")
    assert says in str(caught.value)


def test_runs_that_speak_other_clips_share_none() -> None:
    chosen = [
        parse_options(options)
        for options in ({}, {"codec": "opus"}, {"snr": "10"}, {"snr": "20"}, {"level": "-30"}, {"join": "20s"})
    ]
    assert len({derivation_of(config) for config in chosen}) == len(chosen)

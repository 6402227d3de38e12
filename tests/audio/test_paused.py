"""A pause on purpose: as long as was asked, between two words, and everything else as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stt_load.audio.clip import Clip, Pause
from stt_load.audio.derived import derive
from stt_load.audio.paused import Paused, pause_in
from stt_load.audio.sound_levels import to_wave
from stt_load.audio.speech_bounds import SpeechBounds, find_pauses
from stt_load.audio.texts import english_set
from stt_load.clips.library import clips_from_tts
from stt_load.errors import ConfigError
from stt_load.tts.engines import voice_of

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    texts = dict(list(english_set().items())[:12])
    return clips_from_tts(voice_of("espeak"), texts, RATE_HZ, cache=tmp_path_factory.mktemp("spoken")).clips


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(to_wave(samples) ** 2)))


def own_pause(clip: Clip, length_s: float) -> Pause:
    (pause,) = [pause for pause in clip.pauses or () if pause.length_s == pytest.approx(length_s, abs=1e-4)]
    return pause


@pytest.mark.parametrize("length_s", [0.3, 0.6, 1.0, 1.5])
def test_the_longest_pause_that_is_heard_is_as_long_as_was_asked(pool: tuple[Clip, ...], length_s: float) -> None:
    paused = derive(pool, (Paused(length_s),))
    assert len(paused) == len(pool)
    for clip in paused:
        assert pause_in(clip.clip_id) == length_s
        found = find_pauses(clip.samples, RATE_HZ, SpeechBounds(clip.speech_start_s, clip.speech_end_s))
        heard = max(found, key=lambda pause: pause.length_s)
        # A window with the edge of a sound in it counts as speech, and a faded edge as silence.
        assert length_s - 0.015 <= heard.length_s <= length_s + 0.025
        assert own_pause(clip, length_s).start_s == pytest.approx(heard.start_s, abs=0.025)


def test_the_words_and_the_bounds_move_with_the_speech(pool: tuple[Clip, ...]) -> None:
    for clean, clip in zip(pool, derive(pool, (Paused(1.0),)), strict=True):
        longer_s = clip.duration_s - clean.duration_s
        pause = own_pause(clip, 1.0)
        assert clip.reference == clean.reference
        assert clip.speech_start_s == clean.speech_start_s
        assert clip.speech_end_s == pytest.approx(clean.speech_end_s + longer_s)
        before = [word for word in clip.words if word.end_s <= pause.start_s + 1e-6]
        assert before == list(clean.words[: len(before)])
        moved = [word.moved(longer_s) for word in clean.words[len(before) :]]
        assert [word.start_s for word in clip.words[len(before) :]] == pytest.approx([word.start_s for word in moved])
        assert [word.end_s for word in clip.words[len(before) :]] == pytest.approx([word.end_s for word in moved])
        assert clip.words[len(before)].start_s == pytest.approx(pause.start_s + 1.0, abs=1e-4)
        assert 0.25 < (pause.start_s - clean.speech_start_s) / clean.speech_s < 0.75


def test_nothing_but_the_edges_of_the_two_words_sounds_otherwise(pool: tuple[Clip, ...]) -> None:
    for clean, clip in zip(pool, derive(pool, (Paused(0.6),)), strict=True):
        n, edge = len(clip.samples) - len(clean.samples), RATE_HZ // 100
        at = int(np.argmax(clip.samples[: len(clean.samples)] != clean.samples)) + edge
        assert np.array_equal(clip.samples[: at - 2 * edge], clean.samples[: at - 2 * edge])
        assert np.array_equal(clip.samples[at + n :], clean.samples[at:])


def test_a_pause_in_a_recording_holds_the_tone_of_its_room(pool: tuple[Clip, ...]) -> None:
    noise = np.random.default_rng(5).normal(0, 30, 5 * RATE_HZ)
    clean = pool[0]
    quiet = np.pad(clean.samples, RATE_HZ // 2)
    samples = (quiet + noise[: len(quiet)]).astype(np.int16)
    noisy = replace(
        clean,
        samples=samples,
        speech_start_s=clean.speech_start_s + 0.5,
        speech_end_s=clean.speech_end_s + 0.5,
        words=tuple(word.moved(0.5) for word in clean.words),
    )
    (clip,) = derive([noisy], (Paused(1.0),))
    pause = own_pause(clip, 1.0)
    first, after = (round(at_s * RATE_HZ) for at_s in (pause.start_s + 0.1, pause.start_s + 0.9))
    assert level_db(clip.samples[first:after]) == pytest.approx(level_db(samples[: RATE_HZ // 2]), abs=1.5)


def test_without_words_the_pause_is_put_where_the_speech_pauses(pool: tuple[Clip, ...]) -> None:
    clean = next(clip for clip in pool if clip.reference.startswith("Good morning,"))
    (clip,) = derive([replace(clean, words=())], (Paused(0.8),))
    assert own_pause(clip, 0.8).start_s == pytest.approx(clean.words[1].end_s, abs=0.01)


def test_a_clip_that_pauses_for_longer_as_it_is_is_left_out(pool: tuple[Clip, ...]) -> None:
    thinker = derive(pool[:1], (Paused(1.0),))
    assert [clip.clip_id for clip in derive([*thinker, pool[1]], (Paused(0.5),))] == [f"{pool[1].clip_id}+pause0.5s"]
    with pytest.raises(ConfigError, match="no clip has two words that a pause so long"):
        derive(thinker, (Paused(0.5),))


@pytest.mark.parametrize(
    ("clip_id", "pause_s"),
    [("english-01", None), ("english-01+pause0.6s", 0.6), ("a+join60s+pause1s+mulaw8k", 1.0), ("pause3s", None)],
)
def test_the_id_of_a_clip_tells_its_pause(clip_id: str, pause_s: float | None) -> None:
    assert pause_in(clip_id) == pause_s

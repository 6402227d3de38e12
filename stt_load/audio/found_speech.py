"""Finds where speech starts and ends in a recording, and says how sure that is.

    probability  ▁▁▁▁▃▇██████▇▂▁▁████▇▃▁▁▁▂▄▃▁▁    of speech in each 32 ms, by a model (`voice_activity.py`)
    level        ▂▃▂▃▄▆█▇█▆█▇▅▃▂▃▆█▇▆▅▄▃▂▂▄▅▃▂▂    of 10 ms, without rumble
    speech           ├──────────────────┤          the breath behind it has no voice

The model tells speech from what is no speech; where its probability crosses one half is within a tenth of a second of
the end that a person would mark. The level tells the moment more exactly, as long as it stands clear of the noise: the
last moment over a threshold which lies 40 dB under the loud part, or just above the noise there, whichever is higher.
The result lies between the two moments, nearer to the model's the more noise there is, and both are corrected for what
they miss: the model hears a room ring, and noise hides the last sounds of a word.

A last (or first) stretch that stands alone and has no voice in it is a breath, a click or a beep, and is left out.
In digital silence, where TTS engines put their speech, the level alone is exact and decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stt_load.audio.bounds_doubts import Doubt, cut_doubts, find_doubts
from stt_load.audio.clip import PcmArray
from stt_load.audio.sound_levels import (
    HOP_S,
    VOICED_WINDOWS,
    WINDOW_S,
    Levels,
    Wave,
    levels_dbfs,
    pitches_hz,
    runs_of,
    to_wave,
    windows_between,
    without_rumble,
)
from stt_load.audio.speech_bounds import (
    BELOW_LOUD_DB,
    DIGITAL_SILENCE_DBFS,
    SILENCE_DBFS,
    SpeechBounds,
    find_sound,
    is_in_digital_silence,
)
from stt_load.audio.voice_activity import CHUNK_S, Probabilities, speech_probabilities
from stt_load.errors import ClipError

ALGORITHM_VERSION = 2
"""What was found by another version is found anew."""

IS_SPEECH = 0.5  # the probability from which a chunk is speech
_AGREES_WITHIN_S = 0.15  # in digital silence: how far the level may be from the model, and decide

# A stretch at the edge is no speech where it stands so far from the rest, is no longer, and has fewer voiced windows.
_ALONE_S = 0.15
_SHORT_S = 0.60

# Where the level is looked at, around the model's moment.
_BEFORE_S, _BEHIND_S = 0.14, 0.12
_SURROUNDINGS_S = (0.12, 0.60)  # behind the speech: what the noise is told from
_LEAST_SURROUNDINGS = 8  # windows
_QUIET_STRETCH = 24  # windows
_FLOOR_DBFS = -80.0
_ABOVE_FLOOR_DB = 3.0
_SMOOTH = 5  # windows
_FURTHEST_S = 0.08  # how far the level may pull the result

# Fitted once on 57 telephone prompts in noise of six kinds; bench/speech_bounds.py measures what came of it.
_HEADROOM_DB = (14.0, 22.0, 26.0, 32.0, 36.0, 40.0)  # loud part over threshold
_END_CORRECTION_S = (0.020, 0.040, 0.025, 0.000, -0.015, -0.020)
_START_CORRECTION_S = (0.000, 0.015, 0.010, 0.000, 0.000, 0.000)
_CLEAN_DB = (48.0, 56.0)  # loud part over noise, from where the level alone decides
_DROP_WINDOWS, _DROP_DB = 6, (10.0, 20.0)  # a last sound that falls so far into the noise is heard exactly
_LEVEL_HEADROOM_DB, _LEVEL_WEIGHT = (16.0, 28.0), (0.2, 0.5)

_OUTERMOST_MARGIN_S = 0.040  # with it, 95 % of the clips lose less than 20 ms in noise of 20 dB, and none at 30 dB


@dataclass(frozen=True, slots=True)
class FoundSpeech:
    """The bounds of speech that were found in a clip, and every reason to doubt them.

    `latest_end_s`: where speech has ended in any case. Whoever cuts the clip there loses nothing of the last word.
    """

    bounds: SpeechBounds
    latest_end_s: float
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edge:
    """One end of the speech. `outermost_s`: where it has ended in any case; `noise_dbfs`: the level beyond."""

    at_s: float
    outermost_s: float
    noise_dbfs: float


def find_speech(samples: PcmArray, sample_rate_hz: int) -> FoundSpeech:
    """The bounds of speech in mono int16 samples. Raises ClipError if there is only silence, or only clicks."""
    samples = _without_offset(samples)
    wave = without_rumble(to_wave(samples), sample_rate_hz)
    levels = levels_dbfs(wave, sample_rate_hz)
    if not np.any(levels > SILENCE_DBFS):
        raise ClipError("silence only: nothing in it is louder than -60 dBFS")
    sound = find_sound(samples, sample_rate_hz)
    duration_s = len(samples) / sample_rate_hz
    probabilities = speech_probabilities(samples, sample_rate_hz)
    stretches = _stretches(probabilities, wave, sample_rate_hz)
    if not stretches:
        return FoundSpeech(sound, sound.end_s, (Doubt.NO_VOICE, *cut_doubts(sound, duration_s)))
    first, last = stretches[0][0], stretches[-1][1] - 1
    start_s = max(0.0, _crossing_s(probabilities, first, first - 1))
    end_s = min(duration_s, _crossing_s(probabilities, last, last + 1))
    loud_dbfs = _loud_dbfs(levels, stretches)
    if (
        is_in_digital_silence(samples, sample_rate_hz, sound)
        and max(abs(sound.start_s - start_s), abs(sound.end_s - end_s)) <= _AGREES_WITHIN_S
    ):
        bounds = sound
        start, end = (_Edge(at_s, at_s, SILENCE_DBFS) for at_s in (sound.start_s, sound.end_s))
    else:
        span_s = (len(levels) - 1) * HOP_S + WINDOW_S
        smooth = _smoothed(levels)
        end = _refined(smooth, end_s, loud_dbfs, _END_CORRECTION_S)
        backwards = _refined(smooth[::-1], span_s - start_s, loud_dbfs, _START_CORRECTION_S)
        start = replace(backwards, at_s=span_s - backwards.at_s)
        bounds = SpeechBounds(max(0.0, start.at_s), min(duration_s, end.at_s))
        if not bounds.start_s < bounds.end_s:
            bounds = SpeechBounds(start_s, end_s)
    doubts = find_doubts(wave, levels, sample_rate_hz, bounds, stretches, loud_dbfs, (start.noise_dbfs, end.noise_dbfs))
    latest_end_s = min(duration_s, max(bounds.end_s, end.outermost_s))
    return FoundSpeech(bounds, latest_end_s, doubts)


def _without_offset(samples: PcmArray) -> PcmArray:
    """The samples around the one that is most frequent, which is what silence looks like in this file."""
    if not len(samples):
        return samples
    values, counts = np.unique(samples, return_counts=True)
    offset = int(values[np.argmax(counts)])
    return np.clip(samples.astype(np.int32) - offset, -32768, 32767).astype(np.int16)


def _stretches(probabilities: Probabilities, wave: Wave, sample_rate_hz: int) -> list[tuple[int, int]]:
    """Each run of chunks with speech, without what stands alone at either end and has no voice in it."""
    runs = runs_of(probabilities >= IS_SPEECH)

    def is_speech(run: tuple[int, int], gap: int) -> bool:
        first, after = run
        if gap * CHUNK_S < _ALONE_S or (after - first) * CHUNK_S > _SHORT_S:
            return True
        voiced = pitches_hz(wave, sample_rate_hz, (first - 1) * CHUNK_S, (after + 1) * CHUNK_S)
        return len(voiced) >= VOICED_WINDOWS

    while len(runs) > 1 and not is_speech(runs[-1], runs[-1][0] - runs[-2][1]):
        runs.pop()
    while len(runs) > 1 and not is_speech(runs[0], runs[1][0] - runs[0][1]):
        runs.pop(0)
    return runs


def _crossing_s(probabilities: Probabilities, speech: int, other: int) -> float:
    """When the probability crosses one half between the middles of a chunk with speech and its neighbour without."""
    middle_s = (speech + 0.5) * CHUNK_S
    if not 0 <= other < len(probabilities):
        return middle_s
    share = (probabilities[speech] - IS_SPEECH) / max(probabilities[speech] - probabilities[other], 1e-6)
    return float(middle_s + (other - speech) * share * CHUNK_S)


def _loud_dbfs(levels: Levels, stretches: list[tuple[int, int]]) -> float:
    spoken = [windows_between(levels, first * CHUNK_S, after * CHUNK_S) for first, after in stretches]
    return float(np.percentile(np.concatenate([*spoken, levels[-1:]]), 90))


def _smoothed(levels: Levels) -> Levels:
    half = _SMOOTH // 2
    return np.convolve(np.pad(levels, half, mode="edge"), np.ones(_SMOOTH) / _SMOOTH, "valid")


def _refined(levels: Levels, model_s: float, loud_dbfs: float, corrections_s: tuple[float, ...]) -> _Edge:
    """The end of speech near the moment that the model gives. For the start, levels and moment run backwards."""
    behind = windows_between(levels, model_s + _SURROUNDINGS_S[0], model_s + _SURROUNDINGS_S[1])
    if np.count_nonzero(behind > DIGITAL_SILENCE_DBFS) >= _LEAST_SURROUNDINGS:
        behind = behind[behind > DIGITAL_SILENCE_DBFS]  # some telephones send nothing at all between words
    if len(behind) >= _LEAST_SURROUNDINGS:
        stretches = np.lib.stride_tricks.sliding_window_view(behind, min(len(behind), _QUIET_STRETCH))
        quiet = stretches[int(np.argmin(np.median(stretches, axis=1)))]  # a breath behind the speech is no noise
        noise_dbfs = float(np.median(quiet))
        spread_db = float(np.percentile(quiet, 90)) - noise_dbfs
    else:
        noise_dbfs = max(float(np.percentile(levels, 5)), float(levels[-_LEAST_SURROUNDINGS:].min()))
        spread_db = 2.0
    noise_dbfs = max(min(noise_dbfs, float(np.median(levels))), _FLOOR_DBFS)
    threshold = max(loud_dbfs - BELOW_LOUD_DB, noise_dbfs + max(_ABOVE_FLOOR_DB, spread_db + 1.5), -70.0)
    first = max(0, round((model_s - _BEFORE_S) / HOP_S))
    over = np.flatnonzero(levels[first : round((model_s + _BEHIND_S) / HOP_S)] > threshold)
    # The middle of the last window over the threshold; smoothing has carried it half a hop further.
    level_s = (first + int(over[-1])) * HOP_S + 1.5 * HOP_S if len(over) else model_s - 0.03
    headroom_db = loud_dbfs - threshold
    weight = float(np.interp(headroom_db, _LEVEL_HEADROOM_DB, _LEVEL_WEIGHT))
    clean = float(np.interp(loud_dbfs - noise_dbfs, _CLEAN_DB, (0.0, 1.0)))
    if len(over):
        last = first + int(over[-1])
        drop_db = float(np.max(levels[max(0, last - _DROP_WINDOWS) : last + 1])) - noise_dbfs
        clean = max(clean, float(np.interp(drop_db, _DROP_DB, (0.0, 1.0))))
    furthest_s = _FURTHEST_S + clean * (_BEHIND_S - _FURTHEST_S)
    pull_s = float(np.clip(level_s - model_s, -furthest_s, furthest_s))
    correction_s = (1 - clean) * float(np.interp(headroom_db, _HEADROOM_DB, corrections_s))
    at_s = model_s + (weight + clean * (1 - weight)) * pull_s + correction_s
    return _Edge(at_s, max(at_s, level_s, model_s) + _OUTERMOST_MARGIN_S, noise_dbfs)

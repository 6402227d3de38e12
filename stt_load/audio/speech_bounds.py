"""Finds where sound starts, pauses and ends in samples, by its level alone.

    level      ▁▁▁▁▂▅█▇▅▁▁▃▇█▆▅▃▂▁▁▁▁▁
    threshold  ─────────────────────────
    sound          ├───────────────┤       pauses inside count as sound

In digital silence this is exact, which is what TTS engines put around their speech; `found_speech.py` finds speech in
recordings. A window is sound where its level is over the threshold, and a sound shorter than 20 ms is a click. The
threshold lies 40 dB under the loud part of the clip (the 95th percentile of all windows over -60 dBFS): the weakest
sounds that end English words (f, th) are 25-35 dB under its vowels. Where the clip carries noise, the threshold is
lifted to just above it. Noise is what stays steady (within 12 dB) for 0.3 s and is more than 15 dB under the loud part:
a last f is as quiet, but not as long.

The windows decide to within 5 ms. A TTS clip rendered at 22.05 kHz and the same clip at 16 kHz give the same
bounds to within that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stt_load.audio.clip import Clip, Pause, PcmArray
from stt_load.audio.sound_levels import (
    HOP_S,
    WINDOW_S,
    Flags,
    Levels,
    Wave,
    levels_dbfs,
    runs_of,
    to_wave,
    without_rumble,
)
from stt_load.errors import ClipError

SILENCE_DBFS = -60.0  # nothing louder than this in the whole clip: there is no speech in it
BELOW_LOUD_DB = 40.0
STEADY_S = 0.300
STEADY_WITHIN_DB = 12.0
ABOVE_NOISE_DB = 3.0
NOISE_BELOW_LOUD_DB = 15.0
SHORTEST_SOUND_S = 0.020
DIGITAL_SILENCE_DBFS = -84.0  # two steps of 16 bits: dither at most
SURROUNDINGS_S = 0.100  # what lies outside the speech tells how loud a pause is, if there is so much of it


@dataclass(frozen=True, slots=True)
class SpeechBounds:
    """Where speech starts and ends, in seconds from the first sample."""

    start_s: float
    end_s: float


def find_sound(samples: PcmArray, sample_rate_hz: int) -> SpeechBounds:
    """The first and last moment of sound in mono int16 samples. Raises ClipError if there is only silence."""
    wave = to_wave(samples)
    levels = levels_dbfs(wave, sample_rate_hz)
    if not np.any(levels > SILENCE_DBFS):
        raise ClipError("silence only: nothing in it is louder than -60 dBFS")
    where = np.flatnonzero(_is_sound(levels, wave, sample_rate_hz, _threshold_dbfs(levels, _noise_dbfs(levels))))
    if not len(where):
        raise ClipError("no speech: clicks shorter than 20 ms and silence")
    return SpeechBounds(
        start_s=float(where[0] * HOP_S),
        end_s=min(float(where[-1] * HOP_S + WINDOW_S), len(samples) / sample_rate_hz),
    )


def is_in_digital_silence(samples: PcmArray, sample_rate_hz: int, bounds: SpeechBounds) -> bool:
    """Whether there is something outside these bounds, and nothing of it is more than digital silence."""
    around = _around(levels_dbfs(to_wave(samples), sample_rate_hz), bounds)
    return len(around) > 0 and bool(np.all(around <= DIGITAL_SILENCE_DBFS))


def find_pauses(samples: PcmArray, sample_rate_hz: int, bounds: SpeechBounds) -> tuple[Pause, ...]:
    """Every stretch within `bounds` that is no louder than what surrounds the speech, in order.

    In digital silence pauses are exact to 5 ms and never too long: a window that contains the edge of a sound counts
    as speech.
    """
    wave = to_wave(samples)
    levels = levels_dbfs(wave, sample_rate_hz)
    noise_dbfs = _noise_dbfs(levels)
    if np.any(_around(levels, bounds) > DIGITAL_SILENCE_DBFS):
        wave = without_rumble(wave, sample_rate_hz)
        levels = levels_dbfs(wave, sample_rate_hz)
        around = _around(levels, bounds)
        noise_dbfs = _noise_dbfs(levels)
        if len(around) * HOP_S >= SURROUNDINGS_S:
            noise_dbfs = max(noise_dbfs, float(np.percentile(around, 95)))
    is_sound = _is_sound(levels, wave, sample_rate_hz, _threshold_dbfs(levels, noise_dbfs))
    first, last = round(bounds.start_s / HOP_S), round((bounds.end_s - WINDOW_S) / HOP_S)
    runs = runs_of(~is_sound[first : last + 1])
    return tuple(Pause((first + run[0]) * HOP_S, _run_s(run)) for run in runs)


def pauses_of(clip: Clip) -> tuple[Pause, ...]:
    """The pauses within the speech of a clip: those it says it has, or those that are found in its samples."""
    if clip.pauses is not None:
        return clip.pauses
    return find_pauses(clip.samples, clip.sample_rate_hz, SpeechBounds(clip.speech_start_s, clip.speech_end_s))


def _around(levels: Levels, bounds: SpeechBounds) -> Levels:
    """The levels of the windows that lie wholly outside the bounds."""
    starts_s = np.arange(len(levels)) * HOP_S
    return levels[(starts_s + WINDOW_S <= bounds.start_s + 1e-9) | (starts_s >= bounds.end_s - 1e-9)]


def _is_sound(levels: Levels, wave: Wave, sample_rate_hz: int, threshold_dbfs: float) -> Flags:
    return _without_clicks(levels > threshold_dbfs, wave, sample_rate_hz, threshold_dbfs)


def _threshold_dbfs(levels: Levels, noise_dbfs: float) -> float:
    audible = levels[levels > SILENCE_DBFS]
    loud = float(np.percentile(audible, 95)) if len(audible) else SILENCE_DBFS
    above_noise = noise_dbfs + ABOVE_NOISE_DB
    if above_noise > loud - NOISE_BELOW_LOUD_DB:
        above_noise = SILENCE_DBFS  # a steady sound as loud as this is speech, not noise
    return max(SILENCE_DBFS, loud - BELOW_LOUD_DB, above_noise)


def _noise_dbfs(levels: Levels) -> float:
    """The loudest window of the quietest steady stretch; -inf where no stretch is steady."""
    n = round(STEADY_S / HOP_S)
    if len(levels) < n:
        return -np.inf
    stretches = np.lib.stride_tricks.sliding_window_view(levels, n)
    loudest, quietest = stretches.max(axis=1), stretches.min(axis=1)
    steady = loudest[loudest - quietest <= STEADY_WITHIN_DB]
    return float(steady.min()) if len(steady) else -np.inf


def _without_clicks(is_sound: Flags, wave: Wave, sample_rate_hz: int, threshold_dbfs: float) -> Flags:
    """The flags without sounds shorter than SHORTEST_SOUND_S.

    Windows overlap, so that a run of them is longer than its sound by up to two: how long a sound is, its samples say.
    """
    kept, amplitude = is_sound.copy(), 10 ** (threshold_dbfs / 20)
    for first, after in runs_of(is_sound):
        if _run_s((first, after)) < SHORTEST_SOUND_S + 2 * WINDOW_S:
            start, end = (round(at_s * sample_rate_hz) for at_s in (first * HOP_S, (after - 1) * HOP_S + WINDOW_S))
            loud = np.flatnonzero(np.abs(wave[start:end]) > amplitude)
            if not len(loud) or (loud[-1] - loud[0] + 1) / sample_rate_hz < SHORTEST_SOUND_S:
                kept[first:after] = False
    return kept


def _run_s(run: tuple[int, int]) -> float:
    """The length of a run in seconds: n windows in a row cover n - 1 hops and one window."""
    first, after = run
    return (after - first - 1) * HOP_S + WINDOW_S


def cut_to_bounds(
    samples: PcmArray, sample_rate_hz: int, bounds: SpeechBounds, pad_s: float
) -> tuple[PcmArray, SpeechBounds]:
    """The speech with exactly `pad_s` before and after it, filled up with digital silence, and its bounds then.

    TTS engines append a different amount of silence to each text; a fixed pad makes clips alike.
    """
    first, after = round(bounds.start_s * sample_rate_hz), round(bounds.end_s * sample_rate_hz)
    pad = round(pad_s * sample_rate_hz)
    padded = np.pad(samples, pad)
    cut = padded[first : after + 2 * pad]
    return cut, SpeechBounds(pad / sample_rate_hz, (pad + after - first) / sample_rate_hz)

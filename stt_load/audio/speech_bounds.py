"""Finds where speech starts, pauses and ends in samples, by their energy.

    level      ▁▁▁▁▂▅█▇▅▁▁▃▇█▆▅▃▂▁▁▁▁▁
    threshold  ─────────────────────────
    speech         ├───────────────┤       pauses inside count as speech

Level: RMS of 10 ms windows, one every 5 ms. A window is speech where its level is over the threshold, and a
run of such windows shorter than 20 ms is a click. The threshold lies 40 dB under the loud part of the clip
(the 95th percentile of all windows over -60 dBFS): the weakest sounds that end English words (f, th) are
25-35 dB under its vowels. Where the clip carries noise, the threshold is lifted to just above it. Noise is
what stays steady (within 12 dB) for 0.3 s and is more than 15 dB under the loud part: a last f is as quiet,
but not as long.

The windows decide to within 5 ms. A TTS clip rendered at 22.05 kHz and the same clip at 16 kHz give the same
bounds to within that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stt_load.audio.clip import PcmArray
from stt_load.errors import ClipError

WINDOW_S = 0.010
HOP_S = 0.005
SILENCE_DBFS = -60.0  # nothing louder than this in the whole clip: there is no speech in it
BELOW_LOUD_DB = 40.0
STEADY_S = 0.300
STEADY_WITHIN_DB = 12.0
ABOVE_NOISE_DB = 3.0
NOISE_BELOW_LOUD_DB = 15.0
SHORTEST_SOUND_S = 0.020

Levels = NDArray[np.float64]
Flags = NDArray[np.bool_]  # one a window


@dataclass(frozen=True, slots=True)
class SpeechBounds:
    """Where speech starts and ends, in seconds from the first sample."""

    start_s: float
    end_s: float


def find_speech(samples: PcmArray, sample_rate_hz: int) -> SpeechBounds:
    """The first and last moment of speech in mono int16 samples. Raises ClipError if there is only silence."""
    levels = _levels_dbfs(samples, sample_rate_hz)
    if not np.any(levels > SILENCE_DBFS):
        raise ClipError("silence only: nothing in it is louder than -60 dBFS")
    where = np.flatnonzero(_is_sound(levels))
    if not len(where):
        raise ClipError("no speech: clicks shorter than 20 ms and silence")
    return SpeechBounds(
        start_s=float(where[0] * HOP_S),
        end_s=min(float(where[-1] * HOP_S + WINDOW_S), len(samples) / sample_rate_hz),
    )


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch without speech. `start_s` counts from the first sample."""

    start_s: float
    length_s: float


def find_pauses(samples: PcmArray, sample_rate_hz: int, bounds: SpeechBounds) -> tuple[Pause, ...]:
    """Every stretch within `bounds` that is not speech by the rule of `find_speech`, in order.

    Pauses are exact to 5 ms and never too long: a window that contains the edge of a sound counts as speech.
    """
    is_sound = _is_sound(_levels_dbfs(samples, sample_rate_hz))
    first, last = round(bounds.start_s / HOP_S), round((bounds.end_s - WINDOW_S) / HOP_S)
    runs = _runs(~is_sound[first : last + 1])
    return tuple(Pause((first + run[0]) * HOP_S, _run_s(run)) for run in runs)


def _levels_dbfs(samples: PcmArray, sample_rate_hz: int) -> Levels:
    """The RMS level of each window in dB relative to full scale; window k starts at k · HOP_S.

    Sums over windows are differences of one running sum. The last windows may hang over the end and are
    filled with silence.
    """
    energy = np.concatenate(([0.0], np.cumsum((samples.astype(np.float64) / 32768.0) ** 2)))
    n_windows = max(1, int(np.ceil(len(samples) / (HOP_S * sample_rate_hz))))
    starts = np.rint(np.arange(n_windows) * HOP_S * sample_rate_hz).astype(np.int64)
    window_samples = max(1, round(WINDOW_S * sample_rate_hz))
    starts = np.minimum(starts, len(samples))
    ends = np.minimum(starts + window_samples, len(samples))
    mean_square = np.maximum((energy[ends] - energy[starts]) / window_samples, 1e-12)
    return np.asarray(10.0 * np.log10(mean_square))


def _is_sound(levels: Levels) -> Flags:
    return _without_clicks(levels > _threshold_dbfs(levels))


def _threshold_dbfs(levels: Levels) -> float:
    audible = levels[levels > SILENCE_DBFS]
    loud = float(np.percentile(audible, 95)) if len(audible) else SILENCE_DBFS
    above_noise = _noise_dbfs(levels) + ABOVE_NOISE_DB
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


def _without_clicks(is_sound: Flags) -> Flags:
    """The flags without runs of sound shorter than SHORTEST_SOUND_S."""
    kept = is_sound.copy()
    for first, after in _runs(is_sound):
        if _run_s((first, after)) < SHORTEST_SOUND_S:
            kept[first:after] = False
    return kept


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """Each run of set flags as (its first window, the window after its last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(first), int(after)) for first, after in edges.reshape(-1, 2)]


def _run_s(run: tuple[int, int]) -> float:
    """The length of a run in seconds: n windows in a row cover n - 1 hops and one window."""
    first, after = run
    return (after - first - 1) * HOP_S + WINDOW_S


def cut_to_speech(samples: PcmArray, sample_rate_hz: int, pad_s: float) -> tuple[PcmArray, SpeechBounds]:
    """The speech with exactly `pad_s` before and after it, filled up with digital silence.

    TTS engines append a different amount of silence to each text; a fixed pad makes clips alike.
    """
    bounds = find_speech(samples, sample_rate_hz)
    first, after = round(bounds.start_s * sample_rate_hz), round(bounds.end_s * sample_rate_hz)
    pad = round(pad_s * sample_rate_hz)
    padded = np.pad(samples, pad)
    cut = padded[first : after + 2 * pad]
    return cut, SpeechBounds(pad / sample_rate_hz, (pad + after - first) / sample_rate_hz)

"""How loud a clip is from moment to moment, and which moments of it are voiced.

level      ▁▁▁▁▂▅█▇▅▁▁▃▇█▆▅▃▂▁▁▁▁▁       RMS of 10 ms windows, one every 5 ms
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stt_load.audio.clip import PcmArray

WINDOW_S = 0.010
HOP_S = 0.005

RUMBLE_HZ = 150.0  # an offset, hum and the rumble of rooms and microphones lie below; of speech, little does
_RUMBLE_ORDER = 4

PITCH_WINDOW_S = 0.040
PITCH_HOP_S = 0.010
LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 70.0, 400.0
_PERIODIC = 0.6  # the correlation with itself one period later, from which a window is voiced
_NEARLY = 0.9
VOICED_WINDOWS = 3  # fewer are no voice

Wave = NDArray[np.float64]  # full scale is 1
Levels = NDArray[np.float64]  # dB relative to full scale, one a window; window k starts at k · HOP_S
Flags = NDArray[np.bool_]  # one a window


def to_wave(samples: PcmArray) -> Wave:
    """The int16 samples as floats of full scale 1."""
    return np.asarray(samples, np.float64) / 32768.0


def without_rumble(wave: Wave, sample_rate_hz: int) -> Wave:
    """The wave without what lies below RUMBLE_HZ: a Butterworth high-pass of zero phase, so nothing moves in time."""
    if not len(wave):
        return wave
    n = 1 << int(np.ceil(np.log2(len(wave) + sample_rate_hz // 4)))  # room for the filter to ring out in
    spectrum = np.fft.rfft(wave - wave.mean(), n)
    frequencies_hz = np.maximum(np.fft.rfftfreq(n, 1.0 / sample_rate_hz), 1e-6)
    gain = 1.0 / np.sqrt(1.0 + (RUMBLE_HZ / frequencies_hz) ** (2 * _RUMBLE_ORDER))
    return np.asarray(np.fft.irfft(spectrum * gain, n)[: len(wave)])


def levels_dbfs(wave: Wave, sample_rate_hz: int) -> Levels:
    """The RMS level of each window in dB relative to full scale, -120 where there is nothing.

    Sums over windows are differences of one running sum. The last windows may hang over the end and are
    filled with silence.
    """
    energy = np.concatenate(([0.0], np.cumsum(wave**2)))
    n_windows = max(1, int(np.ceil(len(wave) / (HOP_S * sample_rate_hz))))
    starts = np.rint(np.arange(n_windows) * HOP_S * sample_rate_hz).astype(np.int64)
    window_samples = max(1, round(WINDOW_S * sample_rate_hz))
    starts = np.minimum(starts, len(wave))
    ends = np.minimum(starts + window_samples, len(wave))
    mean_square = np.maximum((energy[ends] - energy[starts]) / window_samples, 1e-12)
    return np.asarray(10.0 * np.log10(mean_square))


def windows_between(levels: Levels, start_s: float, end_s: float) -> Levels:
    """The levels of the windows that begin between two moments."""
    return levels[max(0, round(start_s / HOP_S)) : max(0, round(end_s / HOP_S))]


def runs_of(flags: Flags) -> list[tuple[int, int]]:
    """Each run of set flags as (its first place, the place after its last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(first), int(after)) for first, after in edges.reshape(-1, 2)]


def pitches_hz(wave: Wave, sample_rate_hz: int, start_s: float, end_s: float) -> NDArray[np.float64]:
    """The pitch of every voiced window of 40 ms that begins between two moments, one every 10 ms.

    A window is voiced where it is much like itself one period of 70 to 400 Hz later. All vowels are, and no breath,
    click or noise is.
    """
    size, shortest, longest = (
        round(seconds * sample_rate_hz) for seconds in (PITCH_WINDOW_S, 1 / HIGHEST_PITCH_HZ, 1 / LOWEST_PITCH_HZ)
    )
    last = min(round(end_s * sample_rate_hz), len(wave) - size - longest)
    found = []
    for first in range(max(0, round(start_s * sample_rate_hz)), last, round(PITCH_HOP_S * sample_rate_hz)):
        window, later = wave[first : first + size], wave[first + shortest : first + size + longest]
        energy = np.concatenate(([0.0], np.cumsum(later**2)))
        alike = np.correlate(later, window, "valid")
        scale = np.sqrt((window @ window) * (energy[size:] - energy[:-size]))
        alike = alike / np.maximum(scale, 1e-10)
        peaks = 1 + np.flatnonzero((alike[1:-1] >= alike[:-2]) & (alike[1:-1] >= alike[2:]))
        if len(peaks) and alike[peaks].max() > _PERIODIC:
            # Two periods later it is as much alike: the first peak of that height is the period.
            period = peaks[np.argmax(alike[peaks] > _NEARLY * alike[peaks].max())]
            found.append(sample_rate_hz / (shortest + period))
    return np.asarray(found, np.float64)

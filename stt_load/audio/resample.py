"""Converts PCM to another sample rate. Done once, before any load."""

from __future__ import annotations

import numpy as np
import soxr

from stt_load.audio.clip import PcmArray
from stt_load.audio.codec import to_int16


def resample(samples: PcmArray, from_hz: int, to_hz: int) -> PcmArray:
    """The samples at another rate: int16, shape (n_samples,), mono, in and out. The same array if the rates are equal.

    soxr's "HQ" is linear phase without delay, so an instant keeps its place in seconds.
    """
    if from_hz == to_hz:
        return samples
    wave = samples.astype(np.float32) / 32768.0
    return to_int16(soxr.resample(wave, from_hz, to_hz, quality="HQ"))

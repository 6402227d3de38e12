"""Sounds with known speech bounds."""

from __future__ import annotations

import numpy as np


def tone(seconds: float, rate_hz: int, lead_s: float = 0.0, tail_s: float = 0.0, amplitude: float = 0.5) -> np.ndarray:
    """Float samples: silence, a 440 Hz tone, silence."""
    wave = amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz)
    return np.concatenate([np.zeros(round(lead_s * rate_hz)), wave, np.zeros(round(tail_s * rate_hz))])

"""Clips for the bench: hums of a fixed length, which need no voice, with different sentences as references."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.clips.folder import write_folder

CLIP_S = 7.0
_RATE_HZ = 16_000
_WORDS = [
    "a",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "one",
    "lazy",
    "dog",
    "near",
    "the",
    "old",
    "river",
    "bank",
    "while",
    "seven",
    "ships",
    "sail",
    "home",
]


def write_clips(folder: Path, n: int = 50) -> Path:
    """Writes `n` clips that are speech from beginning to end to a new folder, and returns the folder."""
    t = np.arange(round(CLIP_S * _RATE_HZ)) / _RATE_HZ
    hums = (np.int16(6_000 * np.sin(2 * np.pi * (150 + 3 * number) * t + 1.0)) for number in range(n))
    clips = [
        Clip(f"hum-{number:03d}", _reference(number), hum, _RATE_HZ, 0.0, CLIP_S) for number, hum in enumerate(hums)
    ]
    write_folder(folder, clips, {"engine": "bench"})
    return folder


def _reference(number: int) -> str:
    return " ".join(_WORDS[(number + 5 * k + number // len(_WORDS)) % len(_WORDS)] for k in range(12))

"""Audio files as a server would send them."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile

RATE_HZ = 24_000
UNKNOWN = 0xFFFFFFFF


def wav_head(n_bytes: int, rate_hz: int = RATE_HZ, before: bytes = b"") -> bytes:
    """`n_bytes`: what the header promises; `before`: chunks between the format and the samples."""
    layout = struct.pack("<IHHIIHH", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    data = b"RIFF" + struct.pack("<I", min(UNKNOWN, n_bytes + 36)) + b"WAVEfmt " + layout
    return data + before + b"data" + struct.pack("<I", n_bytes)


def wav(seconds: float, promised: int | None = None) -> bytes:
    samples = bytes(2 * round(seconds * RATE_HZ))
    return wav_head(len(samples) if promised is None else promised) + samples


def encoded(seconds: float, container: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    tone = (8_000 * np.sin(np.arange(round(seconds * RATE_HZ)) / 17)).astype(np.int16)
    soundfile.write(buffer, tone, RATE_HZ, format=container, subtype=subtype)
    return buffer.getvalue()

"""WAV files with headers that say what a test wants."""

from __future__ import annotations

import struct

import numpy as np
from tones import tone

RATE_HZ = 16_000
SPEECH = np.round(tone(1.0, RATE_HZ) * 32767).astype("<i2").tobytes()


def wav(
    samples: bytes = SPEECH,
    *,
    said: int | None = None,
    riff: int | None = None,
    rate_hz: int = RATE_HZ,
    channels: int = 1,
    tag: int = 1,
    bits: int = 16,
    before: bytes = b"",
    behind: bytes = b"",
    order: str = "<",
) -> bytes:
    """`said`, `riff`: what the samples' chunk and RIFF say of their sizes. `before`, `behind`: chunks around it."""
    block = channels * bits // 8
    layout = struct.pack(order + "IHHIIHH", 16, tag, channels, rate_hz, rate_hz * block, block, bits)
    size = len(samples) if said is None else said
    samples = samples if order == "<" else np.frombuffer(samples, "<i2").astype(">i2").tobytes()
    body = b"WAVEfmt " + layout + before + b"data" + struct.pack(order + "I", size) + samples + behind
    magic = b"RIFF" if order == "<" else b"RIFX"
    return magic + struct.pack(order + "I", len(body) if riff is None else riff) + body


def rf64(samples: bytes = SPEECH, said: int | None = None, magic: bytes = b"RF64") -> bytes:
    """The RIFF of 64 bits: its sizes stand in a chunk of their own."""
    n_bytes = len(samples) if said is None else said
    body = wav(samples)[12:]
    at = body.index(b"data") + 4
    sizes = struct.pack("<QQQI", n_bytes + 72, n_bytes, n_bytes // 2, 0)
    body = body[:at] + b"\xff" * 4 + body[at + 4 :]
    return magic + b"\xff" * 4 + b"WAVE" + b"ds64" + struct.pack("<I", len(sizes)) + sizes + body


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

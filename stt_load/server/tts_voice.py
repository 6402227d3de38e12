"""The voice of the stand-in for TTS servers: espeak's where it is installed, else a tone as long as the words.

24 kHz int16 mono, as Chatterbox speaks.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
import soundfile

from stt_load.audio.clip import PcmArray
from stt_load.audio.resample import resample
from stt_load.clips.espeak import speak
from stt_load.errors import ConfigError

RATE_HZ = 24_000
STREAMED_SIZE = 0xFFFFFFFF
_HEADER_BYTES = 44
_WORD_S = 0.35
_CONTAINERS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}
MEDIA_TYPES = {
    "wav": "audio/wav",
    "pcm": f"audio/pcm;rate={RATE_HZ}",
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "flac": "audio/flac",
}


@lru_cache(maxsize=256)
def voice(text: str) -> PcmArray:
    """int16, shape (n_samples,), mono, RATE_HZ."""
    try:
        spoken = speak(text, "en-us")
    except ConfigError:  # not installed
        return _tone(len(text.split()) * _WORD_S)
    return resample(spoken.samples, spoken.sample_rate_hz, RATE_HZ)


def wav_header(n_samples: int | None) -> bytes:
    """`n_samples` None: the size is not known yet, and every size in the header is 0xFFFFFFFF."""
    data_bytes = STREAMED_SIZE if n_samples is None else 2 * n_samples
    riff_bytes = STREAMED_SIZE if n_samples is None else data_bytes + _HEADER_BYTES - 8
    layout = struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", data_bytes)


def whole_file(samples: PcmArray, form: str) -> bytes:
    """Finished, with its true size in the header where it has one."""
    if form in ("wav", "pcm"):
        return (wav_header(len(samples)) if form == "wav" else b"") + samples.tobytes()
    container, subtype = _CONTAINERS[form]
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, format=container, subtype=subtype)
    return buffer.getvalue()


def _tone(duration_s: float) -> PcmArray:
    times_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone: PcmArray = (8_000 * np.sin(2 * np.pi * 220.0 * times_s)).astype(np.int16)
    return tone

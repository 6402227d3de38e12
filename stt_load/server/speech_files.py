"""Speech as the bytes of a file or a stream: int16 mono at 24 kHz, the rate of Chatterbox and of OpenAI's pcm."""

from __future__ import annotations

import io
import struct

import soundfile

from stt_load.audio.clip import PcmArray

RATE_HZ = 24_000
STREAMED_SIZE = 0xFFFFFFFF
_HEADER_BYTES = 44
_CONTAINERS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}
MEDIA_TYPES = {
    "wav": "audio/wav",
    "pcm": f"audio/pcm;rate={RATE_HZ}",
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "flac": "audio/flac",
}


def wav_header(n_samples: int | None) -> bytes:
    """The 44 bytes before the samples. `n_samples` None: the length is not known yet, and every size in the header is
    0xFFFFFFFF."""
    data_bytes = STREAMED_SIZE if n_samples is None else 2 * n_samples
    riff_bytes = STREAMED_SIZE if n_samples is None else data_bytes + _HEADER_BYTES - 8
    layout = struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", data_bytes)


def whole_file(samples: PcmArray, form: str) -> bytes:
    """A finished file of one of MEDIA_TYPES, with its true size in the header where it has one."""
    if form in ("wav", "pcm"):
        return (wav_header(len(samples)) if form == "wav" else b"") + samples.tobytes()
    container, subtype = _CONTAINERS[form]
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, format=container, subtype=subtype)
    return buffer.getvalue()

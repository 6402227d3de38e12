"""Decodes audio files to mono PCM and encodes WAV.

Reads what `soundfile` (libsndfile) reads: wav, flac, ogg, at any depth, rate and number of channels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from stt_load.audio.clip import PcmArray
from stt_load.errors import ClipError

# File name endings that a clip folder is searched for.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")

# A streamed WAV is written before its length is known: its header then carries a size at or near the top of
# the 31 or 32 bit range (OpenAI and Chatterbox 0xFFFFFFFF, sox 0x7FFFFFFF less the header).
_STREAMED_SIZE_BYTES = 0x7FFF_0000


@dataclass(frozen=True, slots=True, eq=False)
class Pcm:
    """Decoded audio. `samples`: int16, shape (n_samples,), mono."""

    samples: PcmArray
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz


def decode(data: bytes) -> Pcm:
    """The audio of a file's bytes. Channels are averaged, any depth becomes 16 bit, float samples are clipped.

    Raises ClipError with the reason alone; the caller knows the file's name.
    """
    if not data:
        raise ClipError("the file is empty")
    if _is_cut(data):
        raise ClipError("the file is cut short: its header promises more than it holds")
    try:
        waves, sample_rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ClipError(f"not readable as wav, flac or ogg ({_reason(error)})") from None
    if not len(waves):
        raise ClipError("the file holds no samples")
    if not np.isfinite(waves).all():
        raise ClipError("some samples are not numbers")
    return Pcm(to_int16(waves.mean(axis=1)), int(sample_rate_hz))


def encode_wav(pcm: Pcm) -> bytes:
    """A mono 16 bit WAV file; `decode` gives back the same samples."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm.samples, pcm.sample_rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def to_int16(wave: NDArray[np.float32]) -> PcmArray:
    """Samples in [-1, 1), shape (n_samples,), as int16: the reverse of libsndfile's division by 32768."""
    levels: PcmArray = np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)
    return levels


def _is_cut(data: bytes) -> bool:
    """True for a WAV whose RIFF header promises more bytes than there are, which libsndfile reads without an error."""
    if data[:4] != b"RIFF":
        return False
    promised_bytes = 8 + int.from_bytes(data[4:8], "little")
    return len(data) < promised_bytes < _STREAMED_SIZE_BYTES


def _reason(error: Exception) -> str:
    """libsndfile's own sentence, without the "Error opening <BytesIO …>" in front of it."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".")

"""Decodes audio files to mono PCM and encodes WAV.

Reads what `soundfile` (libsndfile) reads: wav, flac, ogg, opus, mp3 and some more, at any depth, rate and number of
channels. Files are read in blocks to their end, since a header that was written before the length was known is wrong
about it: `ffmpeg -f flac -` writes no length, a WAV of a streaming server any (`wav_header.py`), an MP3 of one the
length of its first piece, an Ogg one stream a sentence.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from stt_load.audio import containers
from stt_load.audio.clip import PcmArray
from stt_load.audio.wav_header import MAGICS, mend_wav
from stt_load.errors import ClipError

# File name endings that a clip folder is searched for: what libsndfile reads.
AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".au", ".caf", ".rf64", ".sph", ".w64"),
)
READABLE = "wav, flac, ogg, opus or mp3"

SLOWEST_RATE_HZ, FASTEST_RATE_HZ = 4_000, 384_000
_BLOCK_SAMPLES = 1 << 18  # of all channels: libsndfile takes 1,024 of them
# Of all channels: 9 hours at 16 kHz, 90 minutes of stereo at 48 kHz, 8 GB on the way. A few
# megabytes of packed silence hold more.
_MOST_SAMPLES = 1 << 29
_MP3_FRAME = 1_152  # samples; what comes before an error in a block is lost with it
_UNKNOWN_FRAMES = 1 << 60  # libsndfile says 2^63 - 1
_CUT_S = 0.1  # less than this missing: lengths of MP3 are estimates
# Float samples are within ±1, a few times that where somebody was careless. Beyond 16 they are on another scale.
_LOUDEST_FLOAT = 16.0
_CANCELLED_DB = 40.0
_AUDIBLE = 1e-3  # of full scale: -60 dBFS

Waves = NDArray[np.float32]  # shape (n_samples, n_channels)


@dataclass(frozen=True, slots=True, eq=False)
class Pcm:
    """Decoded audio. `samples`: int16, shape (n_samples,), mono. `mended`: what was wrong with its file's header."""

    samples: PcmArray
    sample_rate_hz: int
    mended: str | None = None

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz


def decode(data: bytes) -> Pcm:
    """The audio of a file's bytes. Channels are averaged, any depth becomes 16 bit, float samples are clipped.

    Raises ClipError with the reason alone; the caller knows the file's name.
    """
    if not data:
        raise ClipError("the file is empty")
    streams, mended = _mended(data)
    parts = [_read(stream) for stream in streams]
    first, *others = parts
    if any((part.rate_hz, part.waves.shape[1]) != (first.rate_hz, first.waves.shape[1]) for part in others):
        raise ClipError("it is several streams in one, of different rates or channels: split it")
    waves = np.concatenate([part.waves for part in parts]) if others else first.waves
    if not len(waves):
        raise ClipError("the file holds no samples")
    _check_samples(waves, first)
    return Pcm(to_int16(_mono(waves)), first.rate_hz, mended)


def encode_wav(pcm: Pcm) -> bytes:
    """A mono 16 bit WAV file; `decode` gives back the same samples."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm.samples, pcm.sample_rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def encoded_seconds(data: bytes) -> float | None:
    """How long a compressed file is, decoded only where its header can't be believed; None where it can't be read."""
    try:
        streams, _ = _mended(data)
        return sum(_seconds_of(stream) for stream in streams) or None
    except ClipError:
        return None


def to_int16(wave: NDArray[np.float32]) -> PcmArray:
    """Samples in [-1, 1), shape (n_samples,), as int16: the reverse of libsndfile's division by 32768."""
    levels: PcmArray = np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)
    return levels


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    waves: Waves
    rate_hz: int
    is_float: bool


class _FrontToBack(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that is read once, from its beginning to its end.

    soundfile seeks after each block, which fails at the end of a FLAC that doesn't say how long it is.
    """

    def seekable(self) -> bool:
        return False

    def blocks_to_the_end(self, n_frames: int) -> Iterator[Waves]:
        while len(block := self.read(n_frames, dtype="float32", always_2d=True)):
            yield block


class _LongBytes(io.BytesIO):
    """Bytes that seem to be twenty times as many when asked for their length.

    libsndfile reads an MP3 without the count of a Xing header no further than it estimates from the size of the file
    and the bitrate of its first frame, which is short by a third for a variable bitrate.
    """

    _is_asked = False

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._is_asked = whence == io.SEEK_END
        return super().seek(offset, whence)

    def tell(self) -> int:
        return super().tell() * (20 if self._is_asked else 1)


def _mended(data: bytes) -> tuple[list[bytes], str | None]:
    """The streams of a file, each as libsndfile reads it whole, and what was wrong with its header."""
    if data.startswith(MAGICS):
        mended, why = mend_wav(data)
        return [mended], why
    if data.startswith(b"OggS"):
        return containers.ogg_streams(data)
    if containers.is_mp3(data):
        mended, why = containers.mend_mp3(data)
        return [mended], why
    reason = containers.not_audio(data)
    if reason is None and len(data) < containers.promised_bytes(data):
        reason = "the file is cut short: its header promises more than it holds"
    if reason:
        raise ClipError(reason)
    return [data], None


def _is_estimated(data: bytes) -> bool:
    """Whether libsndfile can only guess how many frames there are."""
    return containers.is_mp3(data) and not containers.has_xing(data)


def _open(data: bytes) -> _FrontToBack:
    try:
        return _FrontToBack(_LongBytes(data) if _is_estimated(data) else io.BytesIO(data))
    except soundfile.SoundFileError as error:
        raise ClipError(f"not readable as {READABLE} ({_reason(error)})") from None


def _read(data: bytes) -> _Decoded:
    is_estimated = _is_estimated(data)
    blocks: list[Waves] = []
    with _open(data) as file:
        rate_hz, promised = int(file.samplerate), file.frames
        if not SLOWEST_RATE_HZ <= rate_hz <= FASTEST_RATE_HZ:
            raise ClipError(
                f"its header says {rate_hz:,} samples a second, speech has {SLOWEST_RATE_HZ:,} to {FASTEST_RATE_HZ:,}"
            )
        try:
            n_samples = 0
            for block in file.blocks_to_the_end(_MP3_FRAME if is_estimated else _BLOCK_SAMPLES // file.channels):
                blocks.append(block)
                n_samples += block.size
                if n_samples > _MOST_SAMPLES:
                    raise ClipError(f"it holds more than {_MOST_SAMPLES:,} samples: cut it, or resample it to 16 kHz")
        except soundfile.SoundFileError as error:
            # The last frame of a stream of MP3 is often half a frame. What came before it is kept.
            if not (is_estimated and blocks):
                reason = _reason(error) or "it ends within a frame"
                raise ClipError(f"the file is damaged or cut short ({reason})") from None
        waves = np.concatenate(blocks) if blocks else np.zeros((0, file.channels), np.float32)
        if promised < _UNKNOWN_FRAMES and not is_estimated and promised - len(waves) > _CUT_S * rate_hz:
            raise ClipError(
                f"the file is cut short: its header promises {promised / rate_hz:.2f} s, "
                f"it holds {len(waves) / rate_hz:.2f} s"
            )
        return _Decoded(waves, rate_hz, file.subtype in ("FLOAT", "DOUBLE"))


def _seconds_of(data: bytes) -> float:
    with _open(data) as file:
        if file.frames < _UNKNOWN_FRAMES and not _is_estimated(data):
            return float(file.frames / file.samplerate)
    decoded = _read(data)
    return len(decoded.waves) / decoded.rate_hz


def _check_samples(waves: Waves, decoded: _Decoded) -> None:
    """Raises ClipError where samples are no sound, whatever the header says."""
    if not np.isfinite(waves).all():
        raise ClipError("some samples are not numbers")
    loudest = float(np.abs(waves).max())
    if decoded.is_float and loudest > _LOUDEST_FLOAT:
        raise ClipError(
            f"its samples are floats up to {loudest:,.0f}, where full scale is 1: integers were written as floats; "
            "divide them by 32768"
        )


def _mono(waves: Waves) -> NDArray[np.float32]:
    """The mean of the channels. Raises ClipError where they cancel each other out."""
    mono: NDArray[np.float32] = waves.mean(axis=1)
    if waves.shape[1] > 1:
        loudest_channel = float(np.sqrt((waves.astype(np.float64) ** 2).mean(axis=0).max()))
        mixed = float(np.sqrt((mono.astype(np.float64) ** 2).mean()))
        if loudest_channel > _AUDIBLE and mixed < loudest_channel * 10 ** (-_CANCELLED_DB / 20):
            raise ClipError(
                "its channels cancel each other out when they are mixed to mono, because one of them is inverted: "
                "keep one (ffmpeg -i IN -af 'pan=mono|c0=c0' OUT)"
            )
    return mono


def _reason(error: Exception) -> str:
    """libsndfile's own sentence, without the "Error opening <BytesIO …>" in front of it."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".")

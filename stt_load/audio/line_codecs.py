"""What the codec of a call does to speech: encoded, decoded, and back at the rate at which it is sent.

| name | on the line |
|---|---|
| `mulaw8k` | G.711 µ-law, 8 kHz, 64 kbit/s: telephones of North America and Japan |
| `alaw8k` | G.711 A-law, 8 kHz, 64 kbit/s: telephones elsewhere |
| `opus` | Opus, 16 kHz, about 24 kbit/s: WebRTC and voice messages |
| `mulaw8k-decoded`, `alaw8k-decoded` | the same as without `-decoded`, for a server that is never sent G.711 itself |

All of them are libsndfile's. Nothing moves in time: G.711 has no delay, what resampling and Opus (pre-skip) delay is
taken off by soxr and by libsndfile; `tests/audio/test_line_codecs.py` measures it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import soundfile

from stt_load.audio.clip import Clip, PcmArray
from stt_load.audio.codec import decode
from stt_load.audio.derived import sounding
from stt_load.audio.resample import resample

_OPUS_COMPRESSION = 0.93  # of libsndfile, from 0 (256 kbit/s) to 1 (6 kbit/s); what it gives is measured, not promised

Encode = Callable[[PcmArray], bytes]
"""Samples at the rate of a codec to what goes over the line."""


@dataclass(frozen=True, slots=True)
class LineCodec:
    """One codec. `encode` takes samples at `rate_hz`; `decode` gives samples at that rate."""

    name: str
    in_words: str
    rate_hz: int
    encode: Encode
    decode: Callable[[bytes], PcmArray]
    is_slow: bool = False  # to encode: what it gives is worth keeping


def _g711(subtype: str, name: str, in_words: str) -> LineCodec:
    def encode(samples: PcmArray) -> bytes:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, 8_000, format="RAW", subtype=subtype)
        return buffer.getvalue()

    def decode_bytes(data: bytes) -> PcmArray:
        if not data:
            return np.zeros(0, np.int16)
        samples, _ = soundfile.read(
            io.BytesIO(data), dtype="int16", format="RAW", subtype=subtype, samplerate=8_000, channels=1
        )
        return np.asarray(samples, np.int16)

    return LineCodec(name, in_words, 8_000, encode, decode_bytes)


def _encode_opus(samples: PcmArray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16_000, format="OGG", subtype="OPUS", compression_level=_OPUS_COMPRESSION)
    return buffer.getvalue()


def _decode_opus(data: bytes) -> PcmArray:
    return decode(data).samples


MULAW = _g711("ULAW", "mulaw8k", "G.711 µ-law")
ALAW = _g711("ALAW", "alaw8k", "G.711 A-law")
OPUS = LineCodec("opus", "Opus", 16_000, _encode_opus, _decode_opus, is_slow=True)


def _decoded(codec: LineCodec) -> LineCodec:
    """The same codec by a name that no dialect takes on the wire."""
    return replace(codec, name=f"{codec.name}-decoded", in_words=f"{codec.in_words}, sent decoded")


LINE_CODECS = {codec.name: codec for codec in (MULAW, ALAW, OPUS, _decoded(MULAW), _decoded(ALAW))}


@dataclass(frozen=True, slots=True)
class Through:
    """The step that sends clips through a codec. `encode`: the codec's, or one that remembers what that gave."""

    codec: LineCodec
    encode: Encode

    @property
    def name(self) -> str:
        return self.codec.name

    @property
    def in_words(self) -> str:
        return self.codec.in_words

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        return [self._through(clip) for clip in clips]

    def _through(self, clip: Clip) -> Clip:
        """The clip and its room in one piece, as a call has them."""
        n, rate_hz = len(clip.samples), clip.sample_rate_hz
        whole = clip.samples if clip.room is None else np.concatenate([clip.samples, clip.room])
        sent = resample(whole, rate_hz, self.codec.rate_hz)
        heard = resample(self.codec.decode(self.encode(sent)), self.codec.rate_hz, rate_hz)
        heard = np.resize(np.pad(heard, (0, max(0, len(whole) - len(heard)))), len(whole))  # rates round a sample
        return sounding(clip, heard[:n], None if clip.room is None else heard[n:])


@dataclass(frozen=True, slots=True)
class SentIn:
    """The step of a codec that the server itself decodes: nothing is done to the clips but to name them."""

    codec: LineCodec

    @property
    def name(self) -> str:
        return self.codec.name

    @property
    def in_words(self) -> str:
        return f"{self.codec.in_words}, as the server takes it"

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        return clips

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
from functools import partial
from itertools import accumulate
from typing import Protocol

import numpy as np
import soundfile

from stt_load.audio.clip import Clip, PcmArray
from stt_load.audio.codec import decode
from stt_load.audio.derived import sounding
from stt_load.audio.resample import resample

_BLOCK_S = 10  # of audio, which Opus encodes in a quarter of a second
_OPUS_COMPRESSION = 0.93  # of libsndfile, from 0 (256 kbit/s) to 1 (6 kbit/s); what it gives is measured, not promised

Tell = Callable[[float], object]
"""Called with how many seconds of audio have been encoded so far. What it raises ends the encoding."""

TellAll = Callable[[float, float], object]
"""Called with the seconds of audio that have been encoded so far, and those of all clips."""


def tell_nobody(done_s: float, total_s: float = 0.0) -> None:
    """Does nothing: what is quick has nothing to tell."""


class Encode(Protocol):
    """Samples at the rate of a codec to what goes over the line. A slow one calls `tell` now and then."""

    def __call__(self, samples: PcmArray, tell: Tell = tell_nobody) -> bytes: ...


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
    def encode(samples: PcmArray, tell: Tell = tell_nobody) -> bytes:
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


def _encode_opus(samples: PcmArray, tell: Tell = tell_nobody) -> bytes:
    """In blocks: a long clip takes minutes, and whoever wants to end must not wait for it."""
    buffer, size = io.BytesIO(), _BLOCK_S * 16_000
    with soundfile.SoundFile(
        buffer, "w", 16_000, 1, format="OGG", subtype="OPUS", compression_level=_OPUS_COMPRESSION
    ) as file:
        for at in range(0, len(samples), size):
            file.write(samples[at : at + size])
            tell(min(at + size, len(samples)) / 16_000)
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
    """The step that sends clips through a codec. `encode`: the codec's, or one that remembers what that gave. `tell` is
    called now and then with the seconds of audio that are done, and those of all clips."""

    codec: LineCodec
    encode: Encode
    tell: TellAll = tell_nobody

    @property
    def name(self) -> str:
        return self.codec.name

    @property
    def in_words(self) -> str:
        return self.codec.in_words

    def apply(self, clips: Sequence[Clip]) -> Sequence[Clip]:
        ends_s = list(accumulate(_whole_s(clip) for clip in clips))
        heard = []
        for clip, end_s in zip(clips, ends_s, strict=True):
            heard.append(self._through(clip, partial(self._tell_from, end_s - _whole_s(clip), ends_s[-1])))
            self.tell(end_s, ends_s[-1])
        return heard

    def _tell_from(self, begin_s: float, total_s: float, done_s: float) -> None:
        self.tell(begin_s + done_s, total_s)

    def _through(self, clip: Clip, tell: Tell) -> Clip:
        """The clip and its room in one piece, as a call has them."""
        n, rate_hz = len(clip.samples), clip.sample_rate_hz
        whole = clip.samples if clip.room is None else np.concatenate([clip.samples, clip.room])
        sent = resample(whole, rate_hz, self.codec.rate_hz)
        heard = resample(self.codec.decode(self.encode(sent, tell)), self.codec.rate_hz, rate_hz)
        heard = np.resize(np.pad(heard, (0, max(0, len(whole) - len(heard)))), len(whole))  # rates round a sample
        return sounding(clip, heard[:n], None if clip.room is None else heard[n:])


def _whole_s(clip: Clip) -> float:
    """How long a clip and its room are."""
    return (len(clip.samples) + (0 if clip.room is None else len(clip.room))) / clip.sample_rate_hz


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

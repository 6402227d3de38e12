"""How much audio there is in the bytes of an answer, counted as they come.

| what comes | told by | seconds |
|---|---|---|
| wav | `RIFF` | bytes of samples over their byte rate, whatever the header says of their number |
| raw samples | asked for `pcm`, or such a content type | int16 mono, 24 kHz unless the content type says otherwise |
| mp3, opus, flac | anything else | read from the whole file once it is there |

What comes decides, not what was asked for: clones ignore `response_format`. A header is no audio.
"""

from __future__ import annotations

import re
from typing import Protocol

from stt_load.audio.codec import encoded_seconds
from stt_load.audio.containers import readable_text
from stt_load.audio.wav_header import MAGICS, Behind, WavHeader, read_wav_header, what_follows
from stt_load.errors import ClipError, ProtocolError

PCM_RATE_HZ = 24_000  # of OpenAI's `pcm`
_PCM_TYPE = re.compile(r"audio/(pcm|l16|raw|x-raw)\b")
_RATE = re.compile(r"rate=(\d+)")
_MAGIC_BYTES = 4
_BEHIND_BYTES = 8  # behind promised samples, that tell what follows


class AudioContainer(Protocol):
    """Counts one answer's audio in one container, as it comes."""

    @property
    def name(self) -> str:
        """`wav`, `pcm`, or `encoded`."""
        ...

    @property
    def promised_bytes(self) -> int | None:
        """Bytes of audio that its header promises; None where it doesn't say: then it may have been streamed."""
        ...

    def feed(self, data: bytes) -> int:
        """How many of these bytes are audio. ProtocolError where they can't be."""
        ...

    def seconds(self, n_bytes: int) -> float | None:
        """Length of the whole audio, once all of its `n_bytes` have come; None where that can't be told."""
        ...


class RawAudio:
    """Samples and nothing else: int16, mono."""

    name = "pcm"
    promised_bytes = None

    def __init__(self, rate_hz: int = PCM_RATE_HZ) -> None:
        self._bytes_per_s = 2 * rate_hz

    def feed(self, data: bytes) -> int:
        return len(data)

    def seconds(self, n_bytes: int) -> float | None:
        return n_bytes / self._bytes_per_s


class WavAudio:
    """A RIFF file, or several one after the other, as `audio/wav_header.py` describes them."""

    name = "wav"

    def __init__(self) -> None:
        self.promised_bytes: int | None = None
        self._held = b""  # of a header, or behind the promised samples, until it is known what it is
        self._header: WavHeader | None = None
        self._left: int | None = None  # of the promised samples; None where nothing was promised
        self._is_over = False
        self._earlier_s = 0.0  # of the files before this one
        self._n_bytes = 0  # of this file's samples

    def feed(self, data: bytes) -> int:
        n_audio = 0
        data, self._held = self._held + data, b""
        while data and not self._is_over:
            if self._header is None:
                data = self._begin_file(data)
            elif self._left == 0:
                data = self._look_behind(data)
            else:
                taken = len(data) if self._left is None else min(len(data), self._left)
                self._left = None if self._left is None else self._left - taken
                self._n_bytes += taken
                n_audio += taken
                data = data[taken:]
        return n_audio

    def seconds(self, n_bytes: int) -> float | None:
        if self._header is None:
            return self._earlier_s or None
        return self._earlier_s + self._n_bytes / self._header.format.bytes_per_s

    def _begin_file(self, data: bytes) -> bytes:
        """Reads the header once it is whole; gives what is behind it."""
        try:
            self._header = read_wav_header(data)
        except ClipError as error:
            raise ProtocolError(f"the answer is no audio: {error}") from None
        if self._header is None:
            self._held = data
            return b""
        promised = self._header.promised_bytes
        earlier = 0 if self.promised_bytes is None else self.promised_bytes
        self.promised_bytes = None if promised is None else earlier + promised
        self._left = promised
        return data[self._header.samples_at :]

    def _look_behind(self, data: bytes) -> bytes:
        """Finds out what follows the promised samples; gives what is still to be counted."""
        assert self._header is not None
        if len(data) < _BEHIND_BYTES:
            self._held = data
            return b""
        match what_follows(data):
            case Behind.WAV:
                self._earlier_s += self._n_bytes / self._header.format.bytes_per_s
                self._header, self._n_bytes = None, 0
            case Behind.SAMPLES:  # it was the header of the first piece
                self.promised_bytes = self._left = None
            case _:
                self._is_over = True
        return data


MOST_ENCODED_BYTES = 32 << 20
"""An encoded answer is kept to be decoded up to this length: ten minutes of FLAC, half an hour of MP3."""


class EncodedAudio:
    """Audio that has to be decoded (mp3, opus, flac, …): kept whole, measured once the clock has stopped."""

    name = "encoded"
    promised_bytes = None

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> int:
        if len(self._data) + len(data) > MOST_ENCODED_BYTES:
            raise ProtocolError(f"an answer of more than {MOST_ENCODED_BYTES:,} bytes that have to be decoded")
        self._data += data
        return len(data)

    def seconds(self, n_bytes: int) -> float | None:
        """None for what libsndfile can't read (aac), and for what is no audio at all."""
        return encoded_seconds(bytes(self._data))


class AudioCounter:
    """Finds out in which container an answer's audio comes, and counts it. `asked`: the format that was asked for."""

    def __init__(self, asked: str, content_type: str = "") -> None:
        self._asked = asked
        self._content_type = content_type.lower()
        self._first = b""
        self._audio: AudioContainer | None = None
        self.n_bytes = 0

    @property
    def container(self) -> str | None:
        return self._audio.name if self._audio else None

    @property
    def promised_bytes(self) -> int | None:
        return self._audio.promised_bytes if self._audio else None

    @property
    def is_cut(self) -> bool:
        """Whether fewer bytes came than the header promised."""
        return self.promised_bytes is not None and self.n_bytes < self.promised_bytes

    def feed(self, data: bytes) -> int:
        """Takes bytes of the answer; gives how many of them are audio. Raises ProtocolError where it is no audio."""
        if self._audio is None:
            self._first += data
            if len(self._first) < _MAGIC_BYTES:
                return 0
            self._audio, data = self._recognise(self._first), self._first
        n_audio = self._audio.feed(data)
        self.n_bytes += n_audio
        return n_audio

    def seconds(self) -> float | None:
        """Length of all audio that came; None where it can't be told."""
        return self._audio.seconds(self.n_bytes) if self._audio else None

    def _recognise(self, first: bytes) -> AudioContainer:
        if first.startswith(MAGICS):
            return WavAudio()
        if first.startswith((b"OggS", b"ID3", b"fLaC")):
            return EncodedAudio()
        if _PCM_TYPE.search(self._content_type) or self._asked == "pcm":
            rate = _RATE.search(self._content_type)
            return RawAudio(int(rate[1]) if rate and int(rate[1]) else PCM_RATE_HZ)
        if first.lstrip()[:1] in (b"{", b"<"):
            raise ProtocolError(f"the answer is text and no audio: {readable_text(first) or first[:40]!r}")
        return EncodedAudio()

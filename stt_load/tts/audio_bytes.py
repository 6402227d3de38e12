"""How much audio there is in the bytes of an answer, counted as they come.

| what comes | told by | seconds |
|---|---|---|
| wav | `RIFF` | bytes after the header over its byte rate |
| raw samples | asked for `pcm`, or such a content type | int16 mono, 24 kHz unless the content type says otherwise |
| mp3, opus, flac | anything else | read from the whole file once it is there |

What comes decides, not what was asked for: clones ignore `response_format`. A header is no audio.
"""

from __future__ import annotations

import io
import re
from typing import Protocol

import soundfile

from stt_load.errors import ProtocolError

PCM_RATE_HZ = 24_000  # of OpenAI's `pcm`
_PCM_TYPE = re.compile(r"audio/(pcm|l16|raw|x-raw)\b")
_RATE = re.compile(r"rate=(\d+)")
_LONGEST_HEADER_BYTES = 64 * 1024
_MAGIC_BYTES = 4
# A streamed WAV is written before its length is known: 0, or a size at or near the top of 31 or 32 bits.
_UNKNOWN_SIZE_BYTES = 0x7FFF_0000


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
    """A RIFF file. https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html"""

    name = "wav"

    def __init__(self) -> None:
        self.promised_bytes: int | None = None
        self._head = b""
        self._bytes_per_s: int | None = None
        self._n_bytes = 0

    def feed(self, data: bytes) -> int:
        if self._bytes_per_s is None:
            self._head += data
            start = self._read_header()
            if start is None:
                return 0
            data, self._head = self._head[start:], b""
        # Chunks behind the samples (LIST, …) are no audio.
        left = len(data) if self.promised_bytes is None else max(0, self.promised_bytes - self._n_bytes)
        n_audio = min(len(data), left)
        self._n_bytes += n_audio
        return n_audio

    def seconds(self, n_bytes: int) -> float | None:
        return n_bytes / self._bytes_per_s if self._bytes_per_s else None

    def _read_header(self) -> int | None:
        """Where the samples begin; None while the header isn't whole."""
        head, place, bytes_per_s = self._head, 12, None
        if len(head) >= 12 and head[8:12] != b"WAVE":
            raise ProtocolError("the answer is a RIFF file and no WAV")
        while place + 8 <= len(head):
            name, size = head[place : place + 4], int.from_bytes(head[place + 4 : place + 8], "little")
            place += 8
            if name == b"data":
                if not bytes_per_s:
                    raise ProtocolError("the answer's WAV header doesn't say how fast its samples are")
                self._bytes_per_s = bytes_per_s
                self.promised_bytes = size if 0 < size < _UNKNOWN_SIZE_BYTES else None
                return place
            if name == b"fmt " and place + 16 <= len(head):
                bytes_per_s = int.from_bytes(head[place + 8 : place + 12], "little")
            place += size + size % 2
        if len(head) > _LONGEST_HEADER_BYTES:
            raise ProtocolError("the answer's WAV header has no end")
        return None


class EncodedAudio:
    """Audio that has to be decoded (mp3, opus, flac, …): kept whole, measured once the clock has stopped."""

    name = "encoded"
    promised_bytes = None

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def seconds(self, n_bytes: int) -> float | None:
        """None for what libsndfile can't read (aac), and for what is no audio at all."""
        try:
            with soundfile.SoundFile(io.BytesIO(bytes(self._data))) as file:
                return file.frames / file.samplerate if file.frames > 0 else None
        except soundfile.SoundFileError:
            return None


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
        if first.startswith(b"RIFF"):
            return WavAudio()
        if first.startswith((b"OggS", b"ID3", b"fLaC")):
            return EncodedAudio()
        if _PCM_TYPE.search(self._content_type) or self._asked == "pcm":
            rate = _RATE.search(self._content_type)
            return RawAudio(int(rate[1]) if rate and int(rate[1]) else PCM_RATE_HZ)
        if first.lstrip()[:1] in (b"{", b"<"):
            raise ProtocolError(f"the answer is text and no audio: {first[:40]!r}")
        return EncodedAudio()

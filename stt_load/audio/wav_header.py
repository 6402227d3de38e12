"""Reads a WAV header as far as it can be believed: what its samples are, where they begin and how many there are.

A server that streams writes the header before it knows the length, so many headers are wrong. What is there counts:

| the header says | seen in | samples |
|---|---|---|
| 0, or 1,000,000,000 bytes and more, with fewer there | OpenAI, Chatterbox, ffmpeg, sox, pocket-tts | all there is |
| less than is there, and what follows is no chunk | Kokoro: the header of its first piece | all there is |
| less than is there, and another WAV follows | servers that send a file a sentence | those of both |
| more than is there, but RIFF's own size fits | | all there is |
| more than is there | a file that was cut | refused: its last words are missing |

RIFF, RIFX (big-endian), RF64 and BW64. https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from stt_load.errors import ClipError

MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
# A size from here on, with fewer bytes there, was written before the length was known. As samples it would be hours.
_PLACEHOLDER_BYTES = 1_000_000_000
_LONGEST_HEADER_BYTES = 64 * 1024
_TAIL_S = 0.010  # fewer samples than this behind the promised ones are no speech: padding, a tag
_ID3V1_BYTES = 128
_PCM_TAGS = (1, 3)  # int, float: their samples may be cut anywhere
_EXTENSIBLE = 0xFFFE

ByteOrder = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class WavFormat:
    """What the samples are. `tag`: 1 int, 3 float, others compressed; `block_bytes`: one sample of every channel."""

    tag: int
    channels: int
    rate_hz: int
    bytes_per_s: int
    block_bytes: int


@dataclass(frozen=True, slots=True)
class WavHeader:
    """A header that ends where its samples begin.

    `promised_bytes`: of samples; None where it doesn't say. `riff_bytes`: of the whole file, as RIFF says, or None.
    `chunks`: what stands before the samples' chunk, as it is in the file, without sizes that it repeats.
    """

    order: ByteOrder
    format: WavFormat
    samples_at: int
    promised_bytes: int | None
    riff_bytes: int | None
    chunks: bytes


class Behind(Enum):
    """What follows the samples that a header promises."""

    NOTHING = "nothing"
    CHUNKS = "chunks"  # LIST, id3, …: no audio
    WAV = "wav"
    SAMPLES = "samples"


def read_wav_header(data: bytes | bytearray, start: int = 0) -> WavHeader | None:
    """The header of the WAV that begins at `start`; None while it isn't whole. Raises ClipError where it is none."""
    if len(data) - start < 12:
        return None
    order: ByteOrder = "big" if data[start : start + 4] == b"RIFX" else "little"
    if data[start + 8 : start + 12] != b"WAVE":
        raise ClipError("it is a RIFF file and no WAV")

    def number(at: int, n_bytes: int = 4) -> int:
        return int.from_bytes(data[at : at + n_bytes], order)

    riff_bytes = number(start + 4)
    long_sizes: tuple[int, int] | None = None  # of RF64: the whole file's, the samples'
    wav_format: WavFormat | None = None
    chunks = bytearray()
    place = start + 12
    while place + 8 <= len(data):
        name, size, place = bytes(data[place : place + 4]), number(place + 4), place + 8
        if name == b"data":
            if wav_format is None:
                raise ClipError("its WAV header doesn't say how fast its samples are")
            if long_sizes is not None and size == 0xFFFFFFFF:
                riff_bytes, size = long_sizes
            return WavHeader(
                order=order,
                format=wav_format,
                samples_at=place,
                promised_bytes=size if 0 < size < _PLACEHOLDER_BYTES else None,
                riff_bytes=8 + riff_bytes if 0 < riff_bytes < _PLACEHOLDER_BYTES else None,
                chunks=bytes(chunks),
            )
        after = place + size + size % 2
        if name == b"ds64" and place + 16 <= len(data):
            long_sizes = number(place, 8), number(place + 8, 8)
        elif after <= len(data):
            if name == b"fmt " and size >= 16:
                wav_format = _format(bytes(data[place:after]), order)
            if name != b"fact":  # it repeats the length
                chunks += data[place - 8 : after]
        place = after
    if len(data) - start > _LONGEST_HEADER_BYTES:
        raise ClipError("its WAV header has no end")
    return None


def what_follows(rest: bytes | bytearray | memoryview) -> Behind:
    """What the bytes behind the promised samples are; eight of them decide, unless it is a tag at the file's end."""
    head = bytes(rest[:8])
    if head[:4] in MAGICS:
        return Behind.WAV
    if len(head) < 8 or (head[:3] == b"TAG" and len(rest) <= _ID3V1_BYTES):
        return Behind.NOTHING
    # A chunk's name is four letters; samples look like that once in fifty times, so its size must be one, too.
    if all(0x20 <= letter < 0x7F for letter in head[:4]):
        smallest = min(int.from_bytes(head[4:8], "little"), int.from_bytes(head[4:8], "big"))
        if smallest < _LONGEST_HEADER_BYTES or 8 + smallest <= len(rest):
            return Behind.CHUNKS
    return Behind.SAMPLES


def mend_wav(data: bytes) -> tuple[bytes, str | None]:
    """The file as libsndfile reads it whole, and what was wrong with its header in one sentence (None: nothing).

    Raises ClipError where it is cut short, or is no WAV.
    """
    pieces: list[tuple[WavHeader, int]] = []  # each with the end of its samples
    wrong: str | None = None
    start = 0
    while True:
        header = read_wav_header(data, start)
        if header is None:
            if not pieces:
                raise ClipError("its WAV header holds no samples" if len(data) >= 12 else "it is no whole WAV header")
            break
        end, why, behind = _end_of_samples(data, header, start)
        wrong = wrong or why
        pieces.append((header, end))
        if behind is not Behind.WAV:
            break
        start = end if data[end : end + 4] in MAGICS else end + 1  # one byte of padding
    first = pieces[0][0]
    if any(header.format != first.format for header, _ in pieces):
        raise ClipError("it is several WAV files in one, of different formats: split it")
    if len(pieces) > 1:
        wrong = f"it is {len(pieces)} WAV files in one"
    if wrong is None and data[:4] != b"BW64":  # libsndfile knows it as RF64
        return data, None
    return _rebuilt(first, b"".join(data[header.samples_at : end] for header, end in pieces)), wrong


def _end_of_samples(data: bytes, header: WavHeader, start: int) -> tuple[int, str | None, Behind]:
    """Where the samples end, what is wrong with the header, and what follows."""
    there = len(data) - header.samples_at
    promised = header.promised_bytes
    if promised is None:
        if not there or _is_really_empty(data, header, start):
            return header.samples_at, None, Behind.NOTHING
        return _whole_blocks(header, len(data)), "its header doesn't say how long it is", Behind.NOTHING
    if promised > there:
        if header.riff_bytes is None or abs(start + header.riff_bytes - len(data)) > 1:
            raise ClipError(
                f"the file is cut short: its header promises {_seconds(header, promised)}, "
                f"it holds {_seconds(header, there)}"
            )
        return _whole_blocks(header, len(data)), _told(header, promised, there), Behind.NOTHING
    end = header.samples_at + promised
    rest = data[end:]
    found = {what_follows(rest), what_follows(rest[promised % 2 :])}  # a byte of padding, or none
    if Behind.WAV in found:
        return end, None, Behind.WAV
    if found != {Behind.SAMPLES} or not rest.strip(b"\0"):
        return end, None, Behind.NOTHING
    if len(rest) < _TAIL_S * header.format.bytes_per_s:
        return end, None, Behind.NOTHING
    return _whole_blocks(header, len(data)), _told(header, promised, there), Behind.NOTHING


def _is_really_empty(data: bytes, header: WavHeader, start: int) -> bool:
    """Whether a size of 0 is true: nothing but a chunk stands behind it, and RIFF's own size says so."""
    fits = header.riff_bytes is not None and abs(start + header.riff_bytes - len(data)) <= 1
    return fits and what_follows(memoryview(data)[header.samples_at :]) is Behind.CHUNKS


def _whole_blocks(header: WavHeader, end: int) -> int:
    """The end without a part of a sample."""
    return end - (end - header.samples_at) % header.format.block_bytes


def _told(header: WavHeader, promised: int, there: int) -> str:
    return f"its header says {_seconds(header, promised)}, there are {_seconds(header, there)}"


def _seconds(header: WavHeader, n_bytes: int) -> str:
    return f"{n_bytes / header.format.bytes_per_s:.2f} s"


def _rebuilt(header: WavHeader, samples: bytes) -> bytes:
    """A RIFF file with these samples and sizes that are true."""

    def size(value: int) -> bytes:
        return value.to_bytes(4, header.order)

    body = b"WAVE" + header.chunks + b"data" + size(len(samples)) + samples + b"\0" * (len(samples) % 2)
    return (b"RIFX" if header.order == "big" else b"RIFF") + size(len(body)) + body


def _format(chunk: bytes, order: ByteOrder) -> WavFormat:
    tag, channels, rate_hz, bytes_per_s, block_bytes, bits = (
        int.from_bytes(chunk[at:to], order) for at, to in ((0, 2), (2, 4), (4, 8), (8, 12), (12, 14), (14, 16))
    )
    if tag == _EXTENSIBLE and len(chunk) >= 26:  # the first two bytes of its GUID are the tag
        tag = int.from_bytes(chunk[24:26], order)
    if not channels or not rate_hz:
        raise ClipError(f"its WAV header says {channels} channels at {rate_hz} Hz")
    if tag in _PCM_TAGS and bits >= 8:  # derived fields are wrong more often than those that they follow from
        block_bytes = channels * ((bits + 7) // 8)
        bytes_per_s = rate_hz * block_bytes
    return WavFormat(tag, channels, rate_hz, bytes_per_s or rate_hz, block_bytes or 1)

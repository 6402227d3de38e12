"""What the first bytes of a file say of it, and how Ogg and MP3 files of streaming servers are read whole.

An Ogg or MP3 that was made of several files, one a sentence, is valid, but libsndfile reads the first of them only.
"""

from __future__ import annotations

from collections.abc import Iterator

CONVERT = "ffmpeg -i IN -ar 16000 -ac 1 OUT.flac"

# File name endings of audio that libsndfile can't read. Such files are named, never dropped without a word.
UNREADABLE_SUFFIXES = (
    *(".m4a", ".mp4", ".aac", ".3gp", ".amr", ".wma", ".webm", ".mka", ".mkv", ".mov"),
    *(".ape", ".wv", ".tta", ".ac3", ".spx", ".g722", ".g729", ".shn", ".gsm", ".ra"),
)

_TEXT_SHOWN = 200
_XING_WITHIN_BYTES = 4096  # its frame is the first one, behind an ID3 tag
_XING_HAS_BYTES = 0x2
_XING_HAS_FRAMES = 0x1

# Where in a file which bytes stand, and what it is then.
_KNOWN: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "m4a or mp4"),
    (0, b"\x1a\x45\xdf\xa3", "webm or matroska"),
    (0, b"\x30\x26\xb2\x75", "wma"),
    (0, b"#!AMR", "amr"),
    (0, b"\xff\xf1", "raw aac"),
    (0, b"\xff\xf9", "raw aac"),
    (0, b"wvpk", "wavpack"),
    (0, b"MAC ", "ape"),
)


def not_audio(data: bytes) -> str | None:
    """Why a file with these bytes can't be read, where its beginning tells; else None."""
    for at, magic, name in _KNOWN:
        if data[at : at + len(magic)] == magic:
            return f"it is {name}, which libsndfile can't read: convert it ({CONVERT})"
    if data.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS instead of the audio: fetch it with `git lfs pull`"
    if data.startswith(b"\x00\x05\x16\x07"):
        return "it is a leftover of macOS (AppleDouble) and no audio: delete it"
    text = readable_text(data)
    return f"it is text and no audio: {text}" if text else None


def readable_text(data: bytes) -> str | None:
    """The beginning of a text on one line, None where these bytes are none."""
    text = data[: 4 * _TEXT_SHOWN].decode("utf-8", "replace").removesuffix("\ufffd")  # cut within a letter
    line = " ".join(text.split())
    if not line.isprintable() or "\ufffd" in line:
        return None
    return (line if len(line) <= _TEXT_SHOWN else line[: _TEXT_SHOWN - 1] + "…") or None


def promised_bytes(data: bytes) -> int:
    """The length of an AIFF or AU file, as its header says; 0 where it doesn't, or the file is neither."""
    if data.startswith(b"FORM"):
        return 8 + int.from_bytes(data[4:8], "big")
    if data.startswith(b".snd"):
        start, size = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
        return 0 if size == 0xFFFFFFFF else start + size
    return 0


def ogg_streams(data: bytes) -> tuple[list[bytes], str | None]:
    """The streams of an Ogg file that follow each other, each a file of its own, and what is odd about them.

    A page that begins a stream after one that has ended cuts (RFC 3533, section 4: "chaining").
    """
    starts, has_ended = [0], False
    for at, is_first, is_last in _ogg_pages(data):
        if is_first and has_ended:
            starts.append(at)
            has_ended = False
        has_ended = has_ended or is_last
    streams = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    if not has_ended:
        return streams, "it has no end mark, so it may be cut short"
    return streams, f"it is {len(streams)} Ogg files in one" if len(streams) > 1 else None


def _ogg_pages(data: bytes) -> Iterator[tuple[int, bool, bool]]:
    """Where each page begins, and whether it is the first or the last of its stream."""
    at = data.find(b"OggS")
    while 0 <= at <= len(data) - 27:
        n_segments, flags = data[at + 26], data[at + 5]
        end = at + 27 + n_segments + sum(data[at + 27 : at + 27 + n_segments])
        if end > len(data):
            return  # a page that is cut ends nothing
        yield at, bool(flags & 2), bool(flags & 4)
        at = data.find(b"OggS", end)


def is_mp3(data: bytes) -> bool:
    """Whether it begins with an ID3 tag or the header of an MPEG audio frame of layer III."""
    return data.startswith(b"ID3") or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2)


def has_xing(data: bytes) -> bool:
    """Whether the first frame of an MP3 says how many frames there are."""
    at = _xing_at(data)
    return at is not None and bool(data[at + 7] & _XING_HAS_FRAMES)


def mend_mp3(data: bytes) -> tuple[bytes, str | None]:
    """The MP3 without the count of its first frame, where that count is the one of its first piece."""
    at = _xing_at(data)
    if at is None or not data[at + 7] & _XING_HAS_BYTES:
        return data, None
    said_at = at + 8 + (4 if data[at + 7] & _XING_HAS_FRAMES else 0)
    said = int.from_bytes(data[said_at : said_at + 4], "big")
    if not said or not is_mp3(data[_id3_bytes(data) + said :]):  # other tags may follow
        return data, None
    return data[:at] + bytes(4) + data[at + 4 :], "its header counts its first piece only"


def _xing_at(data: bytes) -> int | None:
    """Where the Xing or Info header of the first frame stands. http://gabriel.mp3-tech.org/mp3infotag.html"""
    start = _id3_bytes(data)
    places = [data.find(name, start, start + _XING_WITHIN_BYTES) for name in (b"Xing", b"Info")]
    found = [at for at in places if at >= 0 and at + 20 <= len(data)]
    return min(found) if found else None


def _id3_bytes(data: bytes) -> int:
    """The length of the ID3v2 tag at the beginning; its size has seven bits a byte."""
    if not data.startswith(b"ID3") or len(data) < 10:
        return 0
    size = 0
    for part in data[6:10]:
        size = size << 7 | part & 0x7F
    return 10 + size

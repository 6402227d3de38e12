from __future__ import annotations

import io

import pytest
import soundfile
from tones import tone

from stt_load.audio.codec import decode
from stt_load.audio.containers import has_xing, is_mp3, mend_mp3, not_audio, ogg_streams, promised_bytes
from stt_load.errors import ClipError


def written(container: str, subtype: str, seconds: float = 1.0) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(seconds, 16000), 16000, format=container, subtype=subtype)
    return buffer.getvalue()


MP3 = written("MP3", "MPEG_LAYER_III")
OGG = written("OGG", "VORBIS")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\0\x1cftypM4A \0", "it is m4a or mp4, which libsndfile can't read: convert it (ffmpeg -i IN"),
        (b"\x1a\x45\xdf\xa3webm", "it is webm or matroska"),
        (b"\xff\xf1\x50\x80", "it is raw aac"),
        (b"#!AMR-WB\n", "it is amr"),
        (b"\x30\x26\xb2\x75\x8e\x66", "it is wma"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "leftover of macOS"),
        (b"<!DOCTYPE html>\n<p>404</p>", "it is text and no audio: <!DOCTYPE html> <p>404</p>"),
        (b' {"error": "no"}', 'it is text and no audio: {"error": "no"}'),
    ],
)
def test_what_a_file_is_instead_of_audio_is_told_from_its_first_bytes(data: bytes, reason: str) -> None:
    assert reason in str(not_audio(data))
    with pytest.raises(ClipError) as refused:
        decode(data)
    assert reason in str(refused.value)


@pytest.mark.parametrize("data", [MP3, OGG, written("FLAC", "PCM_16"), written("WAV", "PCM_16"), b"", b"\0"])
def test_audio_is_not_mistaken_for_something_else(data: bytes) -> None:
    assert not_audio(data) is None


def test_an_mp3_is_known_with_and_without_a_tag() -> None:
    tagged = b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + MP3
    assert is_mp3(MP3) and is_mp3(tagged) and not is_mp3(OGG) and not is_mp3(b"\xff\xf1\x50\x80")
    assert has_xing(MP3) and has_xing(tagged)
    assert decode(tagged).duration_s == pytest.approx(1.0, abs=0.1)


def test_an_mp3_whose_count_is_true_is_left_alone_whatever_tags_it_has() -> None:
    tag_at_the_end = b"TAG" + bytes(125)
    for data in (MP3, MP3 + tag_at_the_end, b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + MP3):
        assert mend_mp3(data) == (data, None)
    assert mend_mp3(MP3 * 2)[1] == "its header counts its first piece only"


def test_ogg_files_in_one_are_cut_where_the_next_one_begins() -> None:
    assert ogg_streams(OGG) == ([OGG], None)
    streams, why = ogg_streams(OGG + OGG)
    assert streams == [OGG, OGG] and why == "it is 2 Ogg files in one"


@pytest.mark.parametrize(("container", "subtype"), [("AIFF", "PCM_16"), ("AU", "PCM_16")])
def test_an_aiff_or_au_that_is_cut_is_refused(container: str, subtype: str) -> None:
    data = written(container, subtype)
    assert promised_bytes(data) == len(data)
    assert decode(data).duration_s == pytest.approx(1.0)
    with pytest.raises(ClipError, match="cut short"):
        decode(data[: len(data) // 2])


def test_an_au_of_unknown_length_is_read_to_its_end() -> None:
    data = bytearray(written("AU", "PCM_16"))
    data[8:12] = b"\xff" * 4
    assert decode(bytes(data)).duration_s == pytest.approx(1.0)

from __future__ import annotations

import itertools

import pytest
from bytes_of import UNKNOWN, encoded, wav, wav_head
from hypothesis import given
from hypothesis import strategies as st

from stt_load.errors import ProtocolError
from stt_load.tts.audio_bytes import AudioCounter


def counted(data: bytes, asked: str = "wav", content_type: str = "audio/wav") -> AudioCounter:
    counter = AudioCounter(asked, content_type)
    counter.feed(data)
    return counter


def test_the_header_is_no_audio() -> None:
    counter = AudioCounter("wav")
    assert counter.feed(wav_head(4800)) == 0
    assert counter.feed(bytes(4800)) == 4800
    assert counter.seconds() == pytest.approx(0.1)


@given(cuts=st.lists(st.integers(0, 4_844), max_size=8))
def test_a_wav_file_counts_alike_however_it_is_cut(cuts: list[int]) -> None:
    data, counter = wav(0.1), AudioCounter("wav")
    places = [0, *sorted(cuts), len(data)]
    n_audio = sum(counter.feed(data[start:end]) for start, end in itertools.pairwise(places))
    assert n_audio == counter.n_bytes == 4_800
    assert counter.seconds() == pytest.approx(0.1)
    assert counter.promised_bytes == 4_800


@pytest.mark.parametrize("size", [UNKNOWN, UNKNOWN - 36, 0x7FFFFFFF - 36, 0])
def test_a_size_that_nobody_knew_promises_nothing(size: int) -> None:
    counter = counted(wav(0.5, promised=size))
    assert counter.promised_bytes is None
    assert counter.seconds() == pytest.approx(0.5)
    assert not counter.is_cut


def test_a_header_that_promises_more_than_came_is_a_cut_file() -> None:
    assert counted(wav(0.5, promised=48_000)).is_cut


def test_chunks_before_and_behind_the_samples_are_no_audio() -> None:
    listed = b"LIST" + (3).to_bytes(4, "little") + b"abc\0"
    counter = counted(wav_head(4_800, before=listed) + bytes(4_800) + b"LIST" + bytes(20))
    assert counter.n_bytes == 4_800


FIRST_PIECE_ONLY = wav(0.5, promised=4_800)
THREE_FILES = wav(0.1) + wav(0.2) + wav(0.2)


@pytest.mark.parametrize("data", [FIRST_PIECE_ONLY, THREE_FILES], ids=["header of the first piece", "three files"])
@given(cuts=st.lists(st.integers(0, 24_000), max_size=8))
def test_all_samples_count_though_the_first_header_speaks_of_the_first_piece(data: bytes, cuts: list[int]) -> None:
    if data is FIRST_PIECE_ONLY:  # silence behind a header is padding, speech is speech
        data = data[:44] + bytes(range(1, 241)) * 100
    counter = AudioCounter("wav")
    places = [0, *sorted(cuts), len(data)]
    n_audio = sum(counter.feed(data[start:end]) for start, end in itertools.pairwise(places))
    assert n_audio == counter.n_bytes == 24_000
    assert counter.seconds() == pytest.approx(0.5)
    assert not counter.is_cut


def test_a_size_of_hours_promises_nothing() -> None:
    counter = counted(wav(0.5, promised=2_000_000_000))
    assert (counter.promised_bytes, counter.seconds(), counter.is_cut) == (None, pytest.approx(0.5), False)


def test_the_text_that_came_instead_of_audio_is_shown() -> None:
    with pytest.raises(ProtocolError, match=r'text and no audio: .*"voice Zoë is not loaded"'):
        counted('{"error":\n "voice Zoë is not loaded"}'.encode())


def test_raw_samples_are_24_khz_unless_the_server_says_otherwise() -> None:
    assert counted(bytes(48_000), "pcm", "audio/pcm").seconds() == pytest.approx(1.0)
    assert counted(bytes(48_000), "pcm", "audio/L16; rate=16000").seconds() == pytest.approx(1.5)
    assert counted(bytes(48_000), "wav", "audio/pcm;rate=24000").container == "pcm"


def test_a_wav_that_comes_where_raw_samples_were_asked_for_is_a_wav() -> None:
    counter = counted(wav(1.0), "pcm", "audio/pcm")
    assert (counter.container, counter.seconds()) == ("wav", 1.0)


@pytest.mark.parametrize(
    ("container", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("OGG", "VORBIS"), ("FLAC", "PCM_16")]
)
def test_compressed_audio_is_as_long_as_it_decodes_to(container: str, subtype: str) -> None:
    counter = counted(encoded(2.0, container, subtype), "mp3", "audio/mpeg")
    assert counter.container == "encoded"
    assert counter.seconds() == pytest.approx(2.0, abs=0.08)  # mp3 comes in frames of 24 to 48 ms


def test_what_cannot_be_decoded_has_no_length() -> None:
    assert counted(b"\xff\xf1" + bytes(500), "aac", "audio/aac").seconds() is None
    assert AudioCounter("wav").seconds() is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"error": "no"}', "text and no audio"),
        (b"<html>", "text and no audio"),
        (b"RIFF\0\0\0\0AVI LIST", "no WAV"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "how fast"),
        (b"RIFF\0\0\0\0WAVE" + (b"junk" + (8).to_bytes(4, "little") + bytes(8)) * 5_000, "no end"),
    ],
)
def test_what_is_no_audio_is_the_servers_fault(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        counted(data)


def test_nothing_is_counted_before_it_is_known_what_comes() -> None:
    counter = AudioCounter("wav")
    assert counter.feed(b"RI") == 0
    assert counter.container is None


def test_an_answer_that_has_to_be_decoded_is_not_kept_without_end() -> None:
    counter = AudioCounter("mp3", "audio/mpeg")
    with pytest.raises(ProtocolError, match="more than 33,554,432 bytes that have to be decoded"):
        for _ in range(40):
            counter.feed(b"ID3" + bytes(1 << 20))

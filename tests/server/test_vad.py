import numpy as np
import pytest

from stt_load.server.vad import PAD_WINDOWS, SAMPLE_RATE_HZ, WINDOW_BYTES, SpeechSegment, Vad


def tone(seconds: float) -> bytes:
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (8000 * np.sin(2 * np.pi * 220 * t)).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * SAMPLE_RATE_HZ))


def pieces_of(pcm: bytes, frame_bytes: int) -> list[SpeechSegment]:
    vad = Vad()
    return [segment for at in range(0, len(pcm), frame_bytes) for segment in vad.feed(pcm[at : at + frame_bytes])]


def test_speech_is_cut_after_256_ms_of_silence_and_not_before() -> None:
    vad = Vad()
    assert vad.feed(tone(0.64) + silence(0.224)) == []
    (segment,) = vad.feed(silence(0.032))
    assert segment.waited_ms == 256


def test_a_piece_keeps_four_windows_of_silence_on_either_side() -> None:
    (segment,) = pieces_of(silence(0.64) + tone(0.64) + silence(0.64), 3200)
    pad = PAD_WINDOWS * WINDOW_BYTES
    assert len(segment.pcm) == len(tone(0.64)) + 2 * pad
    assert segment.pcm[:pad] == bytes(pad)
    assert segment.pcm[-pad:] == bytes(pad)


@pytest.mark.parametrize("frame_bytes", [2, 640, 1024, 3200, 100_000])
def test_pieces_do_not_depend_on_the_size_of_the_frames(frame_bytes: int) -> None:
    pcm = silence(0.1) + tone(0.5) + silence(0.3) + tone(0.7) + silence(0.5)
    assert pieces_of(pcm, frame_bytes) == pieces_of(pcm, len(pcm))
    assert len(pieces_of(pcm, frame_bytes)) == 2


def test_a_pause_shorter_than_the_endpoint_cuts_nothing() -> None:
    assert len(pieces_of(tone(0.5) + silence(0.2) + tone(0.5) + silence(0.5), 3200)) == 1


def test_speech_without_a_pause_is_cut_at_8_s() -> None:
    first, second = pieces_of(tone(9.0) + silence(0.5), 3200)
    assert first.audio_s == 8.0
    assert first.waited_ms == 0
    assert 1.0 < second.audio_s < 1.2


def test_silence_alone_gives_no_piece() -> None:
    assert pieces_of(silence(20.0), 3200) == []


def test_what_lies_below_minus_50_dbfs_is_silence() -> None:
    faint = (np.frombuffer(tone(1.0), "<i2") // 80).astype("<i2").tobytes()
    assert pieces_of(faint + silence(0.5), 3200) == []


def test_where_pauses_cut_nothing_a_flush_does() -> None:
    vad = Vad(endpoint_s=None, max_segment_s=60.0)
    assert vad.feed(silence(0.32) + tone(0.64) + silence(3.2) + tone(0.32)) == []
    segment = vad.flush()
    assert segment is not None
    assert segment.start_s == pytest.approx(0.32 - 0.128)
    assert segment.audio_s == pytest.approx(0.128 + 0.64 + 3.2 + 0.32)
    assert vad.flush() is None


def test_a_piece_knows_where_it_begins() -> None:
    first, second = pieces_of(silence(0.32) + tone(0.64) + silence(0.64) + tone(0.32) + silence(0.32), 1024)
    assert (first.start_s, second.start_s) == (pytest.approx(0.192), pytest.approx(1.472))

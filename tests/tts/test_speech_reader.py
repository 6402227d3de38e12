"""Answers as they might come, under a clock of their own."""

from __future__ import annotations

import base64
import json

import pytest
from bytes_of import UNKNOWN, encoded, wav, wav_head

from stt_load.errors import (
    ConnectionLost,
    DeadlineExceeded,
    Outcome,
    ProtocolError,
    Refusal,
    SttLoadError,
    UpgradeRefused,
)
from stt_load.session.http_status import fault_of_status
from stt_load.session.outcomes import ending_of_request
from stt_load.tts.speech_reader import SpeechReader, TtsResult

URL = "http://server/tts"


def read(*pieces: tuple[float, bytes], end_s: float, asked: str = "wav", **headers: str) -> TtsResult:
    """(when, bytes) from the first byte of the request."""
    reader = SpeechReader(asked)
    reader.begin({"content-type": "audio/wav", **{name.replace("_", "-"): value for name, value in headers.items()}})
    for at_s, data in pieces:
        reader.feed(at_s, data)
    return reader.close(end_s)


def one_second(n: int = 1) -> bytes:
    return bytes(48_000 * n)


def test_a_stream_is_measured_from_its_first_audio_behind_the_header() -> None:
    heard = read((0.1, wav_head(UNKNOWN)), (1.0, one_second()), (1.9, one_second()), (3.0, one_second()), end_s=3.01)
    assert heard.outcome is Outcome.OK
    assert heard.is_streamed
    assert heard.first_audio_s() == pytest.approx(1.0)
    assert heard.total_s == pytest.approx(3.01)
    assert heard.audio_s == pytest.approx(3.0)
    assert heard.rtf == pytest.approx(3.01 / 3.0)
    assert heard.gaps_s == pytest.approx((0.9, 1.1))
    assert heard.playback is not None and heard.playback.underruns == 0


def test_a_finished_file_is_not_streamed_and_has_no_first_audio() -> None:
    heard = read((2.95, wav(3.0)[:40_000]), (2.99, wav(3.0)[40_000:]), end_s=3.0)
    assert not heard.is_streamed
    assert heard.first_audio_s() is None and heard.playback is None
    assert heard.first_byte_s == pytest.approx(2.95)


def test_a_file_of_unknown_length_that_comes_at_the_end_is_not_streamed_either() -> None:
    assert read((2.9, wav(3.0, promised=UNKNOWN)), end_s=3.0).first_audio_s() is None


@pytest.mark.parametrize(
    ("data", "headers"), [(wav(3.0), {}), (wav(3.0, promised=UNKNOWN), {"content_length": "144044"})]
)
def test_a_known_length_speaks_against_a_stream_whatever_the_times_say(data: bytes, headers: dict[str, str]) -> None:
    """A serial server: the rest of a finished file waits while somebody else's speech is made."""
    heard = read((1.0, data[:50_000]), (3.0, data[50_000:]), end_s=3.1, **headers)
    assert heard.is_length_known
    assert not heard.is_streamed


def test_an_answer_in_one_piece_is_a_stream_where_the_server_is_known_to_stream() -> None:
    alone = read((2.9, wav(3.0, promised=UNKNOWN)), end_s=3.0)
    assert alone.first_audio_s(server_streams=True) == pytest.approx(2.9)
    finished = read((2.9, wav(3.0)), end_s=3.0)
    assert finished.first_audio_s(server_streams=True) is None


def test_thousands_of_tiny_chunks_are_no_gaps() -> None:
    data = wav(1.0, promised=UNKNOWN)
    pieces = [(0.5 + i / 1e6, data[i : i + 100]) for i in range(0, len(data), 100)]
    heard = read(*pieces, end_s=2.0)
    assert heard.n_bytes == 48_000
    assert heard.gaps_s == ()


def test_events_are_streamed_audio_too() -> None:
    def event(**fields: str) -> bytes:
        return f"data: {json.dumps(fields)}\n\n".encode()

    def delta(audio: bytes) -> bytes:
        return event(type="speech.audio.delta", audio=base64.b64encode(audio).decode())

    pieces = ((0.2, delta(one_second())), (0.9, delta(one_second())))
    kind = {"content_type": "text/event-stream; charset=utf-8"}
    heard = read(*pieces, (1.0, event(type="speech.audio.done")), end_s=1.0, asked="pcm", **kind)
    assert (heard.outcome, heard.audio_s, heard.first_audio_s()) == (Outcome.OK, 2.0, pytest.approx(0.2))
    cut = read(*pieces, end_s=1.0, asked="pcm", **kind)
    assert cut.outcome is Outcome.DISCONNECTED
    assert "without speech.audio.done" in (cut.error or "")


def test_compressed_audio_is_played_at_its_mean_rate() -> None:
    data = encoded(4.0, "MP3", "MPEG_LAYER_III")
    half = len(data) // 2
    heard = read((0.5, data[:half]), (4.0, data[half:]), end_s=4.1, asked="mp3")
    assert heard.audio_s == pytest.approx(4.0, abs=0.1)
    assert heard.playback is not None
    assert heard.playback.underruns == 1
    assert heard.playback.stall_s == pytest.approx(1.5, abs=0.1)


def test_aac_is_spoken_and_has_no_length() -> None:
    heard = read((0.5, b"\xff\xf1" + bytes(999)), (1.5, bytes(999)), end_s=1.6, asked="aac")
    assert (heard.outcome, heard.audio_s, heard.rtf) == (Outcome.OK, None, None)
    assert heard.first_audio_s() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("data", "asked", "outcome"),
    [
        (b"", "wav", Outcome.NO_FINAL),
        (wav_head(0), "wav", Outcome.NO_FINAL),
        (wav(0.5, promised=48_000), "wav", Outcome.DISCONNECTED),
        (bytes(500), "mp3", Outcome.PROTOCOL_ERROR),
    ],
)
def test_an_answer_without_whole_audio_is_not_ok(data: bytes, asked: str, outcome: Outcome) -> None:
    heard = read((0.5, data), end_s=1.0, asked=asked)
    assert heard.outcome is outcome
    assert heard.error
    assert heard.first_audio_s() is None and heard.rtf is None


@pytest.mark.parametrize(
    ("fault", "outcome", "refusal"),
    [
        (UpgradeRefused("nobody"), Outcome.REFUSED, Refusal.UNREACHABLE),
        (DeadlineExceeded("late"), Outcome.TIMED_OUT, None),
        (ConnectionLost("gone"), Outcome.DISCONNECTED, None),
        (ProtocolError("what"), Outcome.PROTOCOL_ERROR, None),
        (fault_of_status(500, {}, b"", URL), Outcome.SERVER_ERROR, None),
        (fault_of_status(503, {}, b"", URL), Outcome.REFUSED, Refusal.CAPACITY),
        (fault_of_status(401, {}, b"", URL), Outcome.REFUSED, Refusal.AUTH),
        (fault_of_status(404, {}, b"", URL), Outcome.REFUSED, Refusal.PARAMETERS),
        (fault_of_status(302, {}, b"", URL), Outcome.REFUSED, None),
    ],
)
def test_each_fault_has_its_outcome(fault: SttLoadError, outcome: Outcome, refusal: Refusal | None) -> None:
    heard = SpeechReader("wav").end(ending_of_request(fault))
    assert (heard.outcome, heard.refusal, heard.total_s) == (outcome, refusal, None)

"""Requests over real sockets: to the stand-in for TTS servers, and to servers that fail in the middle."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bytes_of import UNKNOWN, wav
from tts_stand_in import answer, answer_without_length
from tts_stand_in import running as running_server

from stt_load.audio.texts import standard_set
from stt_load.credentials import Credentials
from stt_load.errors import Outcome, Refusal
from stt_load.net.http import HttpClient
from stt_load.option_values import completed_by
from stt_load.server.process import ServerProcess
from stt_load.tts.apis import TTS_APIS
from stt_load.tts.speech_reader import SpeechReader, TtsResult
from stt_load.workloads.tts import TtsClient, TtsRequest

LONG = standard_set()["standard-long"]
PATIENCE_S = 30.0
RTF = 0.03  # of the servers in conftest.py


def client(url: str, api: str = "tts-chatterbox", *options: str, **more: Any) -> TtsClient:
    row = TTS_APIS[api]
    return TtsClient(
        row, completed_by(row.default_url, url), row.parse_options(options), **{"timeout_s": PATIENCE_S, **more}
    )


def test_a_stream_is_heard_piece_by_piece(streaming_server: ServerProcess) -> None:
    result = client(streaming_server.http_url).synthesise(LONG)
    assert result.outcome is Outcome.OK, result.error
    assert result.is_streamed
    assert result.container == "wav"
    assert result.first_byte_s is not None and result.total_s is not None and result.audio_s is not None
    assert result.first_byte_s < result.total_s
    assert result.audio_s > 10
    assert result.gaps_s
    assert result.playback is not None
    assert result.connect_s is not None


@pytest.mark.parametrize("options", [("stream=false",), ("response_format=mp3",), ("response_format=opus",)])
def test_a_finished_file_is_known_for_one(streaming_server: ServerProcess, options: tuple[str, ...]) -> None:
    result = client(streaming_server.http_url, "tts-chatterbox", *options).synthesise(LONG)
    assert result.outcome is Outcome.OK, result.error
    assert result.first_audio_s() is None
    assert result.audio_s == pytest.approx(14, abs=1)


def test_a_server_that_ignores_stream_sends_its_true_length(old_server: ServerProcess) -> None:
    result = client(old_server.http_url, "tts-chatterbox", "stream=true").synthesise(LONG)
    assert result.is_length_known
    assert result.first_audio_s(server_streams=True) is None


@pytest.mark.parametrize("options", [("response_format=pcm",), ("stream_format=sse", "response_format=pcm"), ()])
def test_every_shape_of_openais_answer_holds_the_same_audio(
    streaming_server: ServerProcess, options: tuple[str, ...]
) -> None:
    result = client(streaming_server.http_url, "tts-openai", *options).synthesise(LONG)
    assert result.is_streamed, result.error
    same = client(streaming_server.http_url, "tts-openai", "response_format=flac").synthesise(LONG)
    assert result.audio_s == pytest.approx(same.audio_s)


def test_requests_at_the_same_time_are_heard_one_after_the_other(streaming_server: ServerProcess) -> None:
    """The rest of the first file waits for the last one's speech: none of them was streamed for that."""
    results: list[TtsResult] = []
    asking = client(streaming_server.http_url, "tts-chatterbox", "stream=false")
    threads = [threading.Thread(target=lambda: results.append(asking.synthesise(LONG))) for _ in range(3)]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    took_s = time.monotonic() - begun_s
    assert [result.is_streamed for result in results] == [False] * 3
    assert took_s > sum(RTF * (result.audio_s or 0.0) for result in results)


@pytest.mark.parametrize(
    ("options", "outcome", "refusal", "reason"),
    [
        (("voice=",), Outcome.REFUSED, Refusal.PARAMETERS, "HTTP 400: Missing 'predefined_voice_id'"),
        (("voice=Bob",), Outcome.REFUSED, Refusal.PARAMETERS, "HTTP 404: Voice file 'Bob' not found."),
    ],
)
def test_a_refusal_says_why(
    streaming_server: ServerProcess, options: tuple[str, ...], outcome: Outcome, refusal: Refusal, reason: str
) -> None:
    result = client(streaming_server.http_url, "tts-chatterbox", *options).synthesise(LONG)
    assert (result.outcome, result.refusal) == (outcome, refusal)
    assert result.error is not None and result.error.startswith(reason)


def test_an_empty_text_is_refused_with_the_field_that_is_wrong(streaming_server: ServerProcess) -> None:
    result = client(streaming_server.http_url).synthesise(" ")
    assert result.error == "HTTP 422: body.text: String should have at least 1 character"


def test_the_request_carries_the_key_and_what_was_asked_for() -> None:
    with running_server() as server:
        server.answers = [answer(200, wav(0.5))]
        assert client(server.url, credentials=Credentials("s3cret")).synthesise("Hello.").outcome is Outcome.OK
        assert server.headers[0]["authorization"] == "Bearer s3cret"
        assert server.headers[0]["host"] == server.url.removeprefix("http://")
        assert server.bodies[0]["text"] == "Hello."
        assert "s3cret" not in repr(client(server.url, credentials=Credentials("s3cret")))


def test_the_end_of_the_connection_may_be_the_end_of_the_audio() -> None:
    with running_server() as server:
        server.answers = [answer_without_length(wav(1.0, promised=UNKNOWN))]
        result = client(server.url).synthesise("Hello.")
        assert (result.outcome, result.audio_s) == (Outcome.OK, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("status", "body", "promised", "outcome"),
    [
        (500, b'{"detail":"TTS engine failed to synthesize audio"}', None, Outcome.SERVER_ERROR),
        (503, b"", None, Outcome.REFUSED),
        (200, wav(1.0), 60_000, Outcome.DISCONNECTED),
        (200, wav(1.0, promised=96_000), None, Outcome.DISCONNECTED),
        (200, b"", None, Outcome.NO_FINAL),
        (200, b'{"error":"no"}', None, Outcome.PROTOCOL_ERROR),
    ],
)
def test_an_answer_that_goes_wrong_has_its_outcome(
    status: int, body: bytes, promised: int | None, outcome: Outcome
) -> None:
    with running_server() as server:
        server.answers = [answer(status, body, promised)]
        result = client(server.url).synthesise("Hello.")
        assert result.outcome is outcome
        assert result.error


@contextmanager
def saying(*parts: bytes, hangs_up: bool) -> Iterator[str]:
    """A server of one connection that says these bytes, then hangs up or says nothing more."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"".join(parts))
                if not hangs_up:
                    done.wait(PATIENCE_S)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            done.set()
            thread.join(PATIENCE_S)


HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"", Outcome.DISCONNECTED),
        (b"SSH-2.0-OpenSSH\r\n", Outcome.REFUSED),
        (HEAD + b"4\r\nRIFF\r\n", Outcome.DISCONNECTED),
        (HEAD + b"zz\r\n", Outcome.PROTOCOL_ERROR),
    ],
)
def test_a_server_that_hangs_up_in_the_middle(said: bytes, outcome: Outcome) -> None:
    with saying(said, hangs_up=True) as url:
        assert client(url).synthesise("Hello.").outcome is outcome


@pytest.mark.parametrize("said", [b"", HEAD, HEAD + b"4\r\nRIFF\r\n"])
def test_nothing_is_waited_for_beyond_the_deadline(said: bytes) -> None:
    with saying(said, hangs_up=False) as url:
        result = client(url, timeout_s=0.3).synthesise("Hello.")
        assert result.outcome is Outcome.TIMED_OUT
        assert "0.3 s" in (result.error or "")


def test_nobody_there_is_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    result = client(url).synthesise("Hello.")
    assert (result.outcome, result.refusal) == (Outcome.REFUSED, Refusal.UNREACHABLE)


def test_arrivals_are_the_kernels() -> None:
    with running_server() as server:
        server.answers = [answer(200, wav(0.5))]
        assert client(server.url).synthesise("Hello.").stamp == "kernel"


def test_a_refusal_that_quotes_the_key_is_not_quoted() -> None:
    with running_server() as server:
        server.answers = [answer(401, b'{"error":{"message":"Incorrect API key provided: s3cret."}}')]
        result = client(server.url, credentials=Credentials("s3cret")).synthesise("Hello.")
    assert result.refusal is Refusal.AUTH
    assert "Incorrect API key provided: " in (result.error or "")
    assert "s3cret" not in (result.error or "")


class Cut(BaseException):
    """What a listener's greenlet is killed with."""


class CuttingReader(SpeechReader):
    """Its listener is cut with the first piece of audio."""

    def feed(self, at_s: float, data: bytes) -> None:
        super().feed(at_s, data)
        raise Cut


def test_what_is_cut_in_the_middle_keeps_what_was_measured_by_then() -> None:
    with saying(HEAD + b"8\r\nRIFF____\r\n", hangs_up=False) as url:
        request = TtsRequest(HttpClient(url, {}, PATIENCE_S, 1 << 20), b"{}", CuttingReader("wav"))
        with pytest.raises(Cut):
            request.run()
    result = request.interrupt("the run ended first")
    assert (result.outcome, result.error) == (Outcome.INTERRUPTED, "the run ended first")
    assert result.connect_s is not None
    assert (result.total_s, result.stamp) == (None, "kernel")

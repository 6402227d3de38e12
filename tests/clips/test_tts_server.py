from __future__ import annotations

import contextlib
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from tts_stand_in import TtsStandIn, answer, answer_without_length

from stt_load.clips import tts_server as http
from stt_load.clips.tts_server import speak_over_http
from stt_load.errors import ConfigError
from stt_load.tts.engines import Voice, voice_of


@pytest.fixture(autouse=True)
def no_waiting_between_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BACKOFF_S", 0.0)


def refusal_of(voice: Voice) -> str:
    with pytest.raises(ConfigError) as refused:
        speak_over_http("Hello.", voice)
    (problem,) = refused.value.problems
    assert "\n" not in problem
    return problem


def test_chatterbox_is_asked_for_a_whole_wav_with_a_fixed_seed(tts_server: TtsStandIn, spoken_wav: bytes) -> None:
    tts_server.answers = [answer(200, spoken_wav)]
    assert speak_over_http("Hello.", voice_of("chatterbox", tts_server.url)) == spoken_wav
    assert tts_server.bodies == [
        {
            "text": "Hello.",
            "voice_mode": "predefined",
            "predefined_voice_id": "Emily.wav",
            "output_format": "wav",
            "seed": 1,
        }
    ]
    assert "authorization" not in tts_server.headers[0]


def test_openai_is_asked_with_model_voice_and_key(tts_server: TtsStandIn, spoken_wav: bytes) -> None:
    tts_server.answers = [answer(200, spoken_wav)]
    speak_over_http("Hello.", voice_of("openai", tts_server.url, voice="nova", model="tts-2"), api_key="secret")
    assert tts_server.bodies == [{"model": "tts-2", "input": "Hello.", "voice": "nova", "response_format": "wav"}]
    assert tts_server.headers[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [403, 503])
def test_what_is_secret_is_in_no_error_and_in_no_log(
    tts_server: TtsStandIn, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    tts_server.answers = [answer(status, b"planted-key was shown, and planted-sig")] * 3
    caplog.set_level(logging.DEBUG)
    voice = voice_of("openai", f"{tts_server.url}/v1/audio/speech?sig=planted-sig")
    with pytest.raises(ConfigError, match=r"\*\*\* was shown, and \*\*\*") as refused:
        speak_over_http("Hello.", voice, api_key="planted-key")
    assert "planted" not in str(refused.value) + caplog.text


@pytest.mark.parametrize(
    "failure",
    [
        lambda wav: answer(503, b'{"detail": "model is loading"}'),
        lambda wav: answer(429, b"slow down"),
        lambda wav: answer(200, wav[: len(wav) // 2], promised=len(wav)),
        lambda wav: answer_without_length(wav[: len(wav) // 2]),
        lambda wav: answer(200, b""),
        lambda wav: answer(200, b'{"error": "not what you think"}'),
        lambda wav: lambda handler: handler.connection.close(),
    ],
    ids=["503", "429", "cut", "cut, no length", "empty", "no audio", "closed"],
)
def test_two_failures_are_followed_by_a_third_try(tts_server: TtsStandIn, spoken_wav: bytes, failure: object) -> None:
    broken = failure(spoken_wav)  # type: ignore[operator]
    tts_server.answers = [broken, broken, answer(200, spoken_wav)]
    assert speak_over_http("Hello.", voice_of("chatterbox", tts_server.url)) == spoken_wav
    assert len(tts_server.bodies) == 3


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (answer(503, b'{"detail": "model\\nis loading"}'), "HTTP 503: model is loading, 3 times"),
        (answer(500, b""), "HTTP 500, 3 times"),
        (answer(200, b"RIFF", promised=400), "the connection ended in the middle of the answer, 3 times"),
        (
            answer(200, b'{"error":\n{"message": "model not loaded"}}', content_type="application/json"),
            "it sent something that is not audio (application/json): it is text and no audio: "
            '{"error": {"message": "model not loaded"}}, 3 times',
        ),
        (answer(200, b"<html>log in</html>"), "not audio (of no type): it is text and no audio: <html>log in</html>"),
        (answer(200, b"busy"), "it is text and no audio: busy"),
        (answer(200, bytes(range(256)), content_type="audio/pcm"), "not audio (audio/pcm): not readable as wav"),
    ],
)
def test_the_third_failure_is_one_line_with_the_reason(tts_server: TtsStandIn, failure: object, reason: str) -> None:
    tts_server.answers = [failure]  # type: ignore[list-item]
    problem = refusal_of(voice_of("chatterbox", tts_server.url))
    assert f"TTS server {tts_server.url}/tts" in problem and reason in problem
    assert len(tts_server.bodies) == 3


@pytest.mark.parametrize("status", [200, 201])
def test_audio_with_any_good_status_is_taken(tts_server: TtsStandIn, spoken_wav: bytes, status: int) -> None:
    tts_server.answers = [answer(status, spoken_wav)]
    assert speak_over_http("Hello.", voice_of("chatterbox", tts_server.url)) == spoken_wav


def test_bytes_that_are_no_text_are_not_shown(tts_server: TtsStandIn, spoken_wav: bytes) -> None:
    tts_server.answers = [answer(400, spoken_wav)]
    assert "HTTP 400; check" in refusal_of(voice_of("chatterbox", tts_server.url))


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_request_that_the_server_calls_wrong_is_not_repeated(tts_server: TtsStandIn, status: int) -> None:
    tts_server.answers = [answer(status, b'{"detail": "Voice file not found"}')]
    problem = refusal_of(voice_of("chatterbox", tts_server.url, voice="Nobody.wav"))
    assert f"HTTP {status}: Voice file not found; check --url, --voice" in problem
    assert len(tts_server.bodies) == 1


def test_nobody_listening_is_one_line_without_the_password_in_the_url() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, nobody answers
        problem = refusal_of(voice_of("openai", f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}"))
    assert "no connection, 3 times; is it running" in problem
    assert "secret" not in problem


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    tts_server: TtsStandIn, spoken_wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    tts_server.answers = [answer(200, spoken_wav)]
    assert speak_over_http("Hello.", voice_of("chatterbox", tts_server.url)) == spoken_wav


def test_a_redirect_is_refused_and_no_key_goes_elsewhere(tts_server: TtsStandIn, spoken_wav: bytes) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("location", f"{tts_server.url}/elsewhere")
        handler.send_header("content-length", "0")
        handler.end_headers()

    tts_server.answers = [redirect, answer(200, spoken_wav)]
    with pytest.raises(ConfigError, match=r"HTTP 307: redirected to http://127.0.0.1:[0-9]*/elsewhere; use that URL"):
        speak_over_http("Hello.", voice_of("openai", tts_server.url), api_key="secret")
    assert len(tts_server.bodies) == 1


def test_a_redirect_whose_body_never_ends_is_cut_off(tts_server: TtsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY_BYTES", 1 << 20)
    n_sent = 0

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        nonlocal n_sent
        handler.send_response(307)
        handler.send_header("location", "/elsewhere")
        handler.end_headers()
        with contextlib.suppress(OSError):  # it hangs up
            while n_sent < 64:
                handler.wfile.write(bytes(1 << 20))
                n_sent += 1

    tts_server.answers = [redirect]
    assert "longer than 1 MiB" in refusal_of(voice_of("openai", tts_server.url))
    assert n_sent < 64


def test_an_answer_that_drips_is_left(tts_server: TtsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out for a piece begins again with each."""
    monkeypatch.setattr(http, "TOTAL_TIMEOUT_S", 0.1)
    is_over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not is_over.wait(0.02):
                handler.wfile.write(b"R")

    tts_server.answers = [drip]
    try:
        assert "the answer was not complete after 0 s, 3 times" in refusal_of(voice_of("chatterbox", tts_server.url))
    finally:
        is_over.set()


def test_an_answer_that_never_ends_is_cut_off(
    tts_server: TtsStandIn, spoken_wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY_BYTES", 1 << 20)
    tts_server.answers = [answer_without_length(bytes(3 << 20))]
    assert "longer than 1 MiB, 3 times" in refusal_of(voice_of("chatterbox", tts_server.url))

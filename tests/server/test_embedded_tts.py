"""`stt-load serve --tts` in a process of its own, asked by a client that is not ours and by `stt-load tts`."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from wire import wait_until

from stt_load.audio.codec import decode
from stt_load.audio.texts import standard_set
from stt_load.server.process import ServerProcess, start_embedded_server

pytest.importorskip("espeakng_loader")

LONG = standard_set()["standard-long"]
CHATTERBOX, OPENAI = "/tts", "/v1/audio/speech"
DEADLINE_S = 60.0
STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with start_embedded_server("--tts") as started:
        yield started


def post(server: ServerProcess, path: str, text: str = LONG, **more: object) -> requests.Response:
    own = (
        {"text": text, "predefined_voice_id": "Emily.wav"} if path == CHATTERBOX else {"input": text, "voice": "alloy"}
    )
    return requests.post(server.http_url + path, json={**own, **more}, timeout=DEADLINE_S)


def stt_load(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [*STT_LOAD, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE_S, env={**os.environ, **environment})


def test_a_file_has_its_true_size_and_a_stream_has_none(server: ServerProcess) -> None:
    file, stream = post(server, CHATTERBOX), post(server, CHATTERBOX, stream=True)
    assert int(file.headers["content-length"]) == len(file.content)
    assert int.from_bytes(file.content[4:8], "little") == len(file.content) - 8
    assert int.from_bytes(file.content[40:44], "little") == len(file.content) - 44
    assert stream.headers["transfer-encoding"] == "chunked"
    assert stream.content[4:8] == stream.content[40:44] == b"\xff" * 4
    assert stream.content[44:] == file.content[44:]


def test_every_format_of_openai_holds_the_same_speech(server: ServerProcess) -> None:
    pcm = post(server, OPENAI, response_format="pcm")
    assert pcm.headers["content-type"] == "audio/pcm;rate=24000"
    seconds = len(pcm.content) / 2 / 24_000
    assert seconds > 10
    for form in ("flac", "mp3", "opus"):
        heard = decode(post(server, OPENAI, response_format=form).content)
        assert len(heard.samples) / heard.sample_rate_hz == pytest.approx(seconds, abs=0.1), form
    events = post(server, OPENAI, response_format="pcm", stream_format="sse")
    assert events.headers["content-type"].startswith("text/event-stream")
    *deltas, done = [json.loads(line.removeprefix("data: ")) for line in events.text.split("\n\n") if line]
    assert done == {"type": "speech.audio.done"}
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == pcm.content


def test_voices_differ(server: ServerProcess) -> None:
    voices = requests.get(f"{server.http_url}/v1/audio/voices", timeout=DEADLINE_S).json()["voices"]
    spoken = {post(server, OPENAI, "Hello.", voice=voice).content for voice in ("alloy", "echo", "nova")}
    assert {"alloy", "echo", "nova", "Emily.wav"} <= set(voices)
    assert len(spoken) == 3


def test_a_refusal_is_fastapis(server: ServerProcess) -> None:
    refused = post(server, CHATTERBOX, predefined_voice_id="Bob")
    assert (refused.status_code, refused.json()) == (404, {"detail": "Voice file 'Bob' not found."})
    no_json = requests.post(server.http_url + CHATTERBOX, data=b"{", timeout=DEADLINE_S)
    assert no_json.status_code == 422


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/api/model-info", 200), ("/elsewhere", 404)])
def test_it_can_be_asked_how_it_is(server: ServerProcess, path: str, status: int) -> None:
    assert requests.get(server.http_url + path, timeout=DEADLINE_S).status_code == status


def test_a_client_who_goes_away_leaves_no_request_behind(server: ServerProcess) -> None:
    def n_requests() -> Any:
        return requests.get(f"{server.http_url}/healthz", timeout=DEADLINE_S).json()["requests"]

    body = json.dumps({"text": LONG * 20, "predefined_voice_id": "Emily.wav", "stream": True}).encode()
    host, _, port = server.http_url.removeprefix("http://").rpartition(":")
    head = f"POST /tts HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as raw:
        raw.sendall(head + body)
        assert raw.recv(4) == b"HTTP"
        wait_until(lambda: n_requests() == 1)
    wait_until(lambda: n_requests() == 0)


def test_a_request_too_many_and_a_wrong_key_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STT_SERVE_API_KEY", "k")
    with start_embedded_server("--tts", "--max-callers", "1") as locked:
        assert post(locked, CHATTERBOX).status_code == 401
        line = [
            "tts",
            "--url",
            locked.http_url,
            "--text",
            "english",
            "--runs",
            1,
            "--warm-up",
            0,
            "--results",
            tmp_path,
        ]
        assert stt_load(*line, "--gpu-sidecar", "off", STT_LOAD_TTS_API_KEY="k").returncode == 0
        headers = {"Authorization": "Bearer k"}
        asked = {"json": {"input": LONG * 20, "voice": "alloy"}, "headers": headers, "timeout": DEADLINE_S}
        with requests.post(locked.http_url + OPENAI, stream=True, **asked):  # type: ignore[arg-type]
            assert requests.post(locked.http_url + OPENAI, **asked).status_code == 503  # type: ignore[arg-type]


def test_stt_load_tts_measures_streams_of_it(server: ServerProcess, tmp_path: Path) -> None:
    done = stt_load("tts", "--url", server.http_url, "--warm-up", 1, "--runs", 3, "--results", tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.json")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    assert {text["errors"] for text in results.values()} == {0}
    long = results["long"]
    assert long["audio_duration_ms"] > 10_000
    assert 0 < long["first_audio"]["p50_ms"] < long["latency"]["p50_ms"]
    assert "first audio" in done.stdout


def test_a_signal_ends_it_cleanly() -> None:
    with start_embedded_server("--tts") as process:
        os.kill(process.pid, signal.SIGINT)
        wait_until(lambda: not process.is_running)
        assert (process.stop(), process.stderr) == (0, "")


def test_options_of_the_recogniser_are_refused_all_at_once() -> None:
    ended = stt_load("serve", "--tts", "--decoders", "1", "--dialect", "vosk", "--port", "-1")
    assert (ended.returncode, ended.stdout) == (2, "")
    lines = ended.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["--port -1", "--dialect", "--decoders"]

"""The stand-in for TTS servers: what it sends, byte by byte, and what it refuses."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from servers.start import tts_server

from stt_load.audio.texts import standard_set
from stt_load.server.process import ServerProcess
from stt_load.server.tts_requests import SpeechRefused, read_request, split

LONG = standard_set()["standard-long"]
PATIENCE_S = 30.0


def post(server: ServerProcess, path: str, body: Any) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.http_url).netloc, timeout=PATIENCE_S)
    connection.request("POST", path, json.dumps(body))
    response = connection.getresponse()
    return response, response.read()


@pytest.fixture(scope="module")
def server() -> Any:
    with tts_server("--rtf", "0") as started:
        yield started


def chatterbox(**more: object) -> dict[str, object]:
    return {"text": LONG, "predefined_voice_id": "Emily.wav", **more}


def test_a_file_has_its_true_size_and_a_stream_has_none(server: ServerProcess) -> None:
    _, file = post(server, "/tts", chatterbox())
    _, stream = post(server, "/tts", chatterbox(stream=True))
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    assert int.from_bytes(file[40:44], "little") == len(file) - 44
    assert stream[4:8] == stream[40:44] == b"\xff" * 4
    assert stream[44:] == file[44:]


def test_a_file_comes_in_chunks_without_a_length(server: ServerProcess) -> None:
    response, _ = post(server, "/tts", chatterbox())
    assert response.getheader("content-length") is None
    assert response.getheader("transfer-encoding") == "chunked"


def test_a_server_that_ignores_stream_sends_the_same_file() -> None:
    with tts_server("--rtf", "0", "--ignores-stream") as old:
        assert post(old, "/tts", chatterbox(stream=True))[1] == post(old, "/tts", chatterbox())[1]


def test_a_server_side_by_side_speaks_the_same() -> None:
    with tts_server("--rtf", "0.01", "--parallel") as parallel:
        response, data = post(parallel, "/tts", chatterbox())
        assert response.status == 200
        assert len(data) > 400_000


def test_it_can_be_asked_how_it_is_and_nothing_else(server: ServerProcess) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.http_url).netloc, timeout=PATIENCE_S)
    for path, status in (("/api/model-info", 200), ("/health", 404)):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        connection.close()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/tts", [], 422),
        ("/tts", {"predefined_voice_id": "Emily.wav"}, 422),
        ("/tts", chatterbox(text=" "), 422),
        ("/tts", chatterbox(output_format="aac"), 422),
        ("/tts", chatterbox(chunk_size=7), 422),
        ("/tts", {"text": "Hi."}, 400),
        ("/tts", chatterbox(voice_mode="clone"), 400),
        ("/tts", chatterbox(predefined_voice_id="Bob"), 404),
        ("/tts", chatterbox(seed=-1), 500),
        ("/v1/audio/speech", {"input": "Hi.", "voice": "Bob"}, 404),
        ("/v1/audio/speech", {"voice": "alloy"}, 422),
    ],
)
def test_a_bad_request_is_refused_as_the_original_does(path: str, body: object, status: int) -> None:
    with pytest.raises(SpeechRefused) as caught:
        read_request(path, body)
    assert caught.value.status == status
    assert isinstance(caught.value.detail, list) == (status == 422)


def test_a_refusal_goes_over_the_wire_as_json(server: ServerProcess) -> None:
    response, body = post(server, "/tts", chatterbox(predefined_voice_id="Bob"))
    assert response.status == 404
    assert json.loads(body) == {"detail": "Voice file 'Bob' not found."}
    assert post(server, "/tts", chatterbox(seed=-1))[0].status == 500


def test_a_text_is_cut_at_its_sentences() -> None:
    assert split("One. Two! Three?", 10) == ("One. Two!", "Three?")
    assert split("A sentence that is longer than that. B.", 10) == ("A sentence that is longer than that.", "B.")
    assert " ".join(split(LONG, 120)) == LONG

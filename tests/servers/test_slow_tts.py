"""The TTS server of tests: what it does otherwise than the embedded one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from servers.start import start_tts_server
from stt_load.audio.texts import standard_set
from stt_load.server.process import ServerProcess

ASKED = {"text": standard_set()["standard-long"], "predefined_voice_id": "Emily.wav"}
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with start_tts_server("--rtf", "0") as started:
        yield started


def post(server: ServerProcess, **more: object) -> requests.Response:
    return requests.post(f"{server.http_url}/tts", json={**ASKED, **more}, timeout=DEADLINE_S)


def test_a_file_comes_in_chunks_without_a_length(server: ServerProcess) -> None:
    headers = post(server).headers
    assert "content-length" not in headers
    assert headers["transfer-encoding"] == "chunked"


def test_a_server_that_ignores_stream_sends_the_same_file(server: ServerProcess) -> None:
    with start_tts_server("--rtf", "0", "--ignores-stream") as old:
        assert post(old, stream=True).content == post(old).content == post(server).content


def test_a_server_side_by_side_speaks_the_same(server: ServerProcess) -> None:
    with start_tts_server("--rtf", "0.01", "--parallel") as parallel:
        assert post(parallel).content == post(server).content


def test_the_first_requests_fail_where_they_are_told_to() -> None:
    with start_tts_server("--rtf", "0", "--first-fails", "1") as failing:
        refused = post(failing)
        assert (refused.status_code, refused.json()["detail"]) == (500, "TTS engine failed to synthesize audio")
        assert post(failing).ok


def test_it_tells_what_it_was_asked_for(server: ServerProcess) -> None:
    post(server, seed=1)
    told = requests.get(f"{server.http_url}/requests", timeout=DEADLINE_S).json()
    assert told[-1] == {"path": "/tts", "body": {**ASKED, "seed": 1}}

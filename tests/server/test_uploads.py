"""The stand-in for upload APIs, asked by a client that is not ours."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import requests
import soundfile
from servers.start import start_stand_in
from wire import DEADLINE_S, dial, get, receive, send_audio, silence, tone

from stt_load.clips.library import default_clips
from stt_load.server.process import ServerProcess
from stt_load.uploads.answers import UploadAnswer
from stt_load.uploads.event_reader import EventReader

TEXT = "one two three"
OPENAI, TINGWU, PARAKEET = "/v1/audio/transcriptions", "/api/v1/transcribe", "/transcribe"
FIELDS = {OPENAI: {"model": "m"}, TINGWU: {}, PARAKEET: {"should_chunk": "false"}}


def wav(pcm: bytes = b"") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(pcm or tone(0.5) + silence(0.4), "<i2"), 16_000, format="WAV")
    return file.getvalue()


def post(server: ServerProcess, path: str, file: bytes | None = None, **fields: str) -> requests.Response:
    files = {"file": ("a.wav", wav() if file is None else file, "audio/wav")}
    return requests.post(server.http_url + path, data=fields, files=files, timeout=DEADLINE_S)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with start_stand_in("parakeet", TEXT, "--max-callers", "3") as process:
        yield process


def test_each_path_answers_in_its_servers_shape(server: ServerProcess) -> None:
    assert post(server, OPENAI).json() == {"text": TEXT, "usage": {"type": "duration", "seconds": 1}}
    assert post(server, OPENAI, response_format="text").text == TEXT + "\n"
    verbose = post(server, OPENAI, response_format="verbose_json").json()
    assert verbose["duration"] == 0.9
    assert [segment["text"].strip() for segment in verbose["segments"]] == [TEXT]
    for path in (TINGWU, "/api/v1/trans/video"):
        body = post(server, path).json()
        assert (body["code"], body["text"], len(body["sentences"])) == (0, TEXT, 1)
    body = post(server, "/api/v1/asr").json()
    assert body["segments"][0]["start"] == "00:00:00.000"
    assert post(server, PARAKEET, should_chunk="false").json() == {"text": TEXT, "timestamps": None}


def test_parakeet_fails_where_should_chunk_is_left_at_its_default(server: ServerProcess) -> None:
    answer = post(server, PARAKEET)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_timings_come_where_they_are_asked_for(server: ServerProcess) -> None:
    for path, fields in FIELDS.items():
        assert post(server, f"{path}?timings=1", **fields).json()["timings_ms"]["decode"] > 0
        assert "timings_ms" not in post(server, path, **fields).json()


def stream(server: ServerProcess, shape: str, file: bytes | None = None) -> tuple[UploadAnswer, list[str]]:
    answer = post(server, f"{OPENAI}?shape={shape}", file, stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    reader = EventReader()
    reader.feed(answer.content, 1.0)
    return reader.close(), [line for line in answer.text.splitlines() if line]


@pytest.mark.parametrize(
    ("shape", "first", "last"),
    [
        ("openai", {"type": "transcript.text.delta", "delta": "one"}, '{"type": "transcript.text.done"'),
        ("vllm", {"object": "transcription.chunk", "choices": [{"delta": {"content": "one"}}]}, "[DONE]"),
        ("speaches", {"type": "transcript.text.delta", "delta": f" {TEXT}", "logprobs": None}, '{"type"'),
        ("segments", {"text": TEXT}, '{"text"'),
        ("whisperlive", {"id": 0, "start": 0.0, "end": 0.64, "text": f" {TEXT}"}, "[DONE]"),
    ],
)
def test_it_streams_in_each_of_the_shapes(server: ServerProcess, shape: str, first: Any, last: str) -> None:
    answer, lines = stream(server, shape)
    assert (answer.text, answer.is_whole) == (TEXT, True)
    assert json.loads(lines[0].removeprefix("data: ")) == first
    assert lines[-1].startswith(f"data: {last}")


def test_speaches_says_all_words_in_deltas_and_none_at_the_end(server: ServerProcess) -> None:
    answer, lines = stream(server, "speaches", wav((tone(0.5) + silence(0.5)) * 2))
    assert (answer.text, answer.is_whole) == (f"{TEXT} {TEXT}", True)
    assert json.loads(lines[-1].removeprefix("data: "))["text"] == ""


def test_bare_texts_are_streamed_where_text_was_asked_for(server: ServerProcess) -> None:
    answer = post(server, f"{OPENAI}?shape=text", stream="true", response_format="text")
    assert answer.text == f"data:  {TEXT}\n\n"


def test_a_file_with_a_pause_is_recognised_piece_by_piece(server: ServerProcess) -> None:
    answer, _ = stream(server, "segments", wav((tone(0.5) + silence(0.5)) * 2))
    assert [text for _, text in answer.messages] == [TEXT, TEXT]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/elsewhere", {}, 404),
        (TINGWU, {"asr_options": "{"}, 400),
        (OPENAI, {"response_format": "srt"}, 400),
        (f"{OPENAI}?shape=round", {"stream": "true"}, 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    server: ServerProcess, path: str, fields: dict[str, str], status: int
) -> None:
    assert post(server, path, **fields).status_code == status


def test_a_request_without_a_file_is_422_and_a_file_that_is_no_audio_400(server: ServerProcess) -> None:
    answer = requests.post(server.http_url + OPENAI, files={"model": (None, "m")}, timeout=DEADLINE_S)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "file"]
    assert post(server, OPENAI, b"no audio").status_code == 400


def test_websockets_and_gets_go_on_as_before(server: ServerProcess) -> None:
    caller = dial(server)
    assert post(server, OPENAI).ok
    send_audio(caller, tone(0.5) + silence(0.4))
    assert receive(caller) == {"status": "queued"}
    assert receive(caller) == {"text": TEXT}
    assert get(server, "/healthz")["callers"] == 1
    caller.close()


def test_tingwu_takes_one_after_the_other_and_openai_all_at_once(server: ServerProcess) -> None:
    with start_stand_in("parakeet", TEXT, delay_s=0.15) as slow, ThreadPoolExecutor(3) as pool:
        took_s = {}
        for path in (TINGWU, OPENAI):
            began_s = time.monotonic()
            answers = list(pool.map(lambda _, path=path: post(slow, path), range(3)))
            took_s[path] = time.monotonic() - began_s
            assert [answer.json()["text"] for answer in answers] == [TEXT] * 3
    assert took_s[TINGWU] >= 3 * 0.15


def test_too_many_at_once_are_refused_with_503_and_the_place_is_given_back() -> None:
    with (
        start_stand_in("parakeet", TEXT, "--max-callers", "1", delay_s=0.5) as full,
        ThreadPoolExecutor(4) as pool,
    ):
        codes = [answer.status_code for answer in pool.map(lambda _: post(full, OPENAI), range(4))]
        assert set(codes) == {200, 503}
        assert post(full, OPENAI).status_code == 200
        assert post(full, OPENAI, stream="true").status_code == 200
        assert post(full, OPENAI).status_code == 200


def test_a_key_is_asked_for_in_either_way_it_may_travel() -> None:
    with start_stand_in("parakeet", TEXT, "--api-key", "k") as locked:
        assert post(locked, OPENAI).status_code == 401
        for headers in ({"Authorization": "Bearer k"}, {"x-api-key": "k"}):
            files = {"file": ("a.wav", wav(), "audio/wav")}
            answer = requests.post(locked.http_url + OPENAI, files=files, headers=headers, timeout=DEADLINE_S)
            assert answer.status_code == 200


def test_the_embedded_recogniser_recognises_an_uploaded_file(embedded: ServerProcess) -> None:
    clip = default_clips(16_000).clips[0]
    heard = post(embedded, OPENAI, wav(clip.samples.tobytes())).json()["text"].split()
    said = clip.reference.lower().replace(",", "").replace(".", "").split()
    assert len(set(heard) & set(said)) > len(set(said)) / 2

"""What the TTS server is asked for: statuses and details as Chatterbox-TTS-Server's."""

from __future__ import annotations

from typing import Any

import pytest

from stt_load.audio.texts import standard_set
from stt_load.server.tts_requests import SpeechRefused, SpeechRequest, read_request, split

LONG = standard_set()["standard-long"]


def chatterbox(**more: object) -> dict[str, object]:
    return {"text": LONG, "predefined_voice_id": "Emily.wav", **more}


def test_a_chatterbox_request_is_a_file_unless_a_stream_is_asked_for() -> None:
    asked = read_request("/tts", chatterbox(output_format="mp3", split_text=False))
    assert asked == SpeechRequest((LONG,), "Emily.wav", "mp3", wants_stream=False)
    assert read_request("/tts", chatterbox(stream=True)).is_streamed
    assert not read_request("/tts", chatterbox(stream=True, output_format="opus")).is_streamed


def test_an_openai_request_streams_by_itself_and_in_events_where_asked() -> None:
    body: dict[str, Any] = {"input": "Hi. There.", "voice": "alloy", "response_format": "pcm"}
    assert read_request("/v1/audio/speech", body) == SpeechRequest(("Hi. There.",), "alloy", "pcm", wants_stream=True)
    assert read_request("/v1/audio/speech", {**body, "stream_format": "sse"}).wants_events


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


def test_a_text_is_cut_at_its_sentences() -> None:
    assert split("One. Two! Three?", 10) == ("One. Two!", "Three?")
    assert split("A sentence that is longer than that. B.", 10) == ("A sentence that is longer than that.", "B.")
    assert " ".join(split(LONG, 120)) == LONG

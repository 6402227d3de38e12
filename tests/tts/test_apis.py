from __future__ import annotations

from typing import Any

import pytest

from stt_load.errors import ConfigError
from stt_load.tts.apis import TTS_APIS


def body(api: str, *options: str) -> dict[str, Any]:
    row = TTS_APIS[api]
    return row.body("Hello.", row.parse_options(options))


def test_a_chatterbox_request_is_complete_and_says_nothing_that_nobody_asked_for() -> None:
    assert body("tts-chatterbox") == {
        "text": "Hello.",
        "voice_mode": "predefined",
        "predefined_voice_id": "Emily.wav",
        "output_format": "wav",
        "stream": True,
        "seed": 1,
    }


def test_a_cloned_voice_is_a_reference_file() -> None:
    sent = body("tts-chatterbox", "voice_mode=clone", "voice=me.wav", "speed=1.5", "chunk_size=200", "split_text=false")
    assert sent["reference_audio_filename"] == "me.wav"
    assert "predefined_voice_id" not in sent
    assert (sent["speed_factor"], sent["chunk_size"], sent["split_text"]) == (1.5, 200, False)


def test_an_openai_request_carries_its_options_under_their_own_names() -> None:
    assert body("tts-openai", "stream_format=sse", "response_format=pcm", "seed=7") == {
        "model": "tts-1",
        "input": "Hello.",
        "voice": "alloy",
        "response_format": "pcm",
        "stream_format": "sse",
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("api", "option"),
    [
        ("tts-chatterbox", "seed=0"),
        ("tts-chatterbox", "seed="),
        ("tts-openai", "seed=0"),
        ("tts-openai", "seed=-1"),
        ("tts-chatterbox", "chunk_size=49"),
        ("tts-chatterbox", "temperature=9"),
        ("tts-chatterbox", "voice_mode=mine"),
        ("tts-chatterbox", "response_format=pcm"),
        ("tts-openai", "speed=fast"),
        ("tts-openai", "colour=red"),
    ],
)
def test_what_the_api_does_not_have_is_refused_in_one_line(api: str, option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        body(api, option)
    (problem,) = caught.value.problems
    assert problem.startswith(f"--dialect-option {option.split('=')[0]}")

from __future__ import annotations

import pytest

from stt_load.errors import ConfigError
from stt_load.tts.engines import ENGINES, voice_of


def test_every_engine_has_a_default_voice_and_servers_a_path() -> None:
    for name, row in ENGINES.items():
        assert row.name == name and row.default_voice and row.summary
        assert (row.body is None) == (row.path is None)


@pytest.mark.parametrize(
    ("engine", "url", "asked"),
    [
        ("chatterbox", None, "http://localhost:8004/tts"),
        ("chatterbox", "http://gpu:9000", "http://gpu:9000/tts"),
        ("chatterbox", "http://gpu:9000/", "http://gpu:9000/tts"),
        ("openai", "https://gpu/v2/audio/speech", "https://gpu/v2/audio/speech"),
        ("openai", "https://gpu", "https://gpu/v1/audio/speech"),
        ("espeak", None, None),
    ],
)
def test_a_url_without_a_path_gets_the_engines_own(engine: str, url: str | None, asked: str | None) -> None:
    assert voice_of(engine, url).url == asked


@pytest.mark.parametrize(
    ("engine", "url", "reason"),
    [
        ("festival", None, "unknown TTS engine 'festival': choose one of espeak, chatterbox, openai"),
        ("espeak", "http://gpu:9000", "espeak is embedded"),
        ("openai", None, "openai needs the URL of a server"),
        ("openai", "ws://gpu", "is not of the form http://HOST:PORT/v1/audio/speech"),
        ("chatterbox", "localhost:8004", "is not of the form http://HOST:PORT/tts"),
        ("chatterbox", "http://gpu:port", "is not of the form"),
        ("chatterbox", "ws://me:hunter2@gpu", "TTS server URL 'ws://***@gpu' is not of the form"),
        ("chatterbox", "http://[gpu", "is not of the form"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_spoken(engine: str, url: str | None, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        voice_of(engine, url)
    (problem,) = refused.value.problems
    assert reason in problem


def test_the_source_in_a_manifest_holds_no_credentials() -> None:
    voice = voice_of("openai", "http://me:secret@gpu:80/speech")
    assert voice.as_source() == {"engine": "openai", "voice": "alloy", "model": "tts-1", "url": "http://gpu:80/speech"}

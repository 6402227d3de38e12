"""Which servers are shown the credentials of the environment: those that were named before the web UI was opened."""

from __future__ import annotations

from typing import Any

import pytest

from stt_load.config import parse_options
from stt_load.credentials import API_KEY_VARIABLE, HEADERS_VARIABLE, SIDECAR_TOKEN_VARIABLE, TTS_KEY_VARIABLE
from stt_load.run.named_servers import find_unnamed, named_servers

NAMED = {
    "dialect": "deepgram",
    "stt_url": "wss://stt.example/v1/listen",
    "tts_url": "http://tts.example:8004/tts",
    "gpu_sidecar": "local,http://gpu:9550",
}
ALL = dict.fromkeys([API_KEY_VARIABLE, HEADERS_VARIABLE, TTS_KEY_VARIABLE, SIDECAR_TOKEN_VARIABLE], "X-A=secret")


def unnamed(environ: dict[str, str], named: dict[str, Any] = NAMED, **typed: str) -> list[str]:
    return find_unnamed(parse_options({**named, **typed}), named_servers(named), environ)


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"hold": "5s"},
        {"stt_url": "wss://stt.example/v2/listen?model=other"},
        {"stt_url": "wss://STT.example:443/"},
        {"stt_url": "https://stt.example/v1/audio/transcriptions", "dialect": "upload-openai"},  # the same server
        {"gpu_sidecar": "off"},
        {"gpu_sidecar": "local"},
        {"gpu_sidecar": "http://gpu:9550/"},
    ],
)
def test_named_servers_are_shown_what_they_would_be(typed: dict[str, str]) -> None:
    assert unnamed(ALL, **typed) == []


@pytest.mark.parametrize(
    ("typed", "option", "server", "variables"),
    [
        ({"stt_url": "ws://stt.example:443/"}, "stt-url", "http://stt.example:443", "STT_LOAD_API_KEY"),  # no TLS
        ({"stt_url": "wss://stt.example:8443/"}, "stt-url", "https://stt.example:8443", "STT_LOAD_API_KEY"),
        ({"stt_url": "wss://stt.example.evil/"}, "stt-url", "https://stt.example.evil:443", "STT_LOAD_HEADERS"),
        ({"stt_url": "wss://stt.example@evil/"}, "stt-url", "https://evil:443", "STT_LOAD_HEADERS"),
        ({"tts_url": "http://evil/tts"}, "tts-url", "http://evil:80", "STT_LOAD_TTS_API_KEY"),
        (
            {"tts_url": "http://gpu:9550/"},
            "tts-url",
            "http://gpu:9550",
            "STT_LOAD_TTS_API_KEY",
        ),  # named for another use
        ({"gpu_sidecar": "http://gpu:9550,http://[::1]:1"}, "gpu-sidecar", "http://[::1]:1", "GPU_SIDECAR_TOKEN"),
    ],
)
def test_a_server_that_was_typed_later_is_told_with_what_to_do(
    typed: dict[str, str], option: str, server: str, variables: str
) -> None:
    (problem,) = unnamed(ALL, **typed)
    assert problem.startswith(f"--{option}: ")
    assert f"would go to {server}, which was not named" in problem
    assert variables in problem
    assert "secret" not in problem
    assert unnamed({}, **typed) == []


def test_without_a_url_the_named_server_is_the_dialects_own() -> None:
    named = {"dialect": "deepgram"}
    assert unnamed(ALL, named) == []
    assert len(unnamed(ALL, named, dialect="assemblyai")) == 1


def test_wrong_options_name_nobody() -> None:
    assert named_servers({"stt_url": "rubbish"}) == {}
    assert len(find_unnamed(parse_options(NAMED), {}, ALL)) == 3

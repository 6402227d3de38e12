"""The engines that can speak the texts of clips: one row each. What is sent to a server, and where, is decided here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from stt_load.errors import ConfigError
from stt_load.text.url_secrets import as_typed, without_credentials

SPEEDS = (0.5, 2.5)
"""The slowest and the fastest that espeak can speak, times its usual speed: it takes 80 to 450 words a minute."""

# Chatterbox reads 0 as "another voice each time".
_SEED = 1


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: everything besides the text that decides how a clip sounds. `url` is None for espeak. `speed`: how many
    times as fast as it usually does espeak speaks; no other engine is asked for one."""

    engine: str
    url: str | None
    name: str
    model: str | None = None
    speed: float = 1.0

    def as_source(self) -> dict[str, str]:
        """What the manifest tells of it: no empty keys, and no user name or password out of the URL."""
        said = {"engine": self.engine, "voice": self.name, "model": self.model, "url": without_credentials(self.url)}
        if self.speed != 1.0:
            said["speed"] = f"{self.speed:g}"
        return {key: value for key, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EngineRow:
    """`body` makes the JSON to be posted; None for the engine inside this process, which has no `path` either.

    `default_url` None: one must be given. `path` is used where a URL comes without one.
    """

    name: str
    summary: str
    default_voice: str
    body: Callable[[str, Voice], dict[str, Any]] | None = None
    default_url: str | None = None
    path: str | None = None
    default_model: str | None = None


def _chatterbox_body(text: str, voice: Voice) -> dict[str, Any]:
    # https://github.com/devnen/Chatterbox-TTS-Server at 68213e7 (April 2026), server.py and models.py
    return {
        "text": text,
        "voice_mode": "predefined",
        "predefined_voice_id": voice.name,
        "output_format": "wav",
        "seed": _SEED,
    }


def _openai_body(text: str, voice: Voice) -> dict[str, Any]:
    # https://platform.openai.com/docs/api-reference/audio/createSpeech
    return {"model": voice.model, "input": text, "voice": voice.name, "response_format": "wav"}


ENGINES: dict[str, EngineRow] = {
    row.name: row
    for row in (
        EngineRow("espeak", "espeak-ng, embedded: needs no server", "en-us"),
        EngineRow(
            "chatterbox",
            "Chatterbox-TTS-Server, POST /tts",
            "Emily.wav",
            body=_chatterbox_body,
            default_url="http://localhost:8004/tts",
            path="/tts",
        ),
        EngineRow(
            "openai",
            "any server with OpenAI's POST /v1/audio/speech",
            "alloy",
            body=_openai_body,
            path="/v1/audio/speech",
            default_model="tts-1",
        ),
    )
}


def voice_of(engine: str, url: str | None = None, voice: str | None = None, model: str | None = None) -> Voice:
    """A checked Voice, with the engine's defaults filled in. ConfigError with every problem."""
    row = ENGINES.get(engine)
    if row is None:
        raise ConfigError(f"unknown TTS engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if row.body is None:
        if url is not None or model is not None:
            raise ConfigError(f"{engine} is embedded: leave --url and --model out, or choose another engine")
        return Voice(engine, None, voice or row.default_voice)
    url = url or row.default_url
    if url is None:
        raise ConfigError(f"{engine} needs the URL of a server: --url http://HOST:PORT{row.path}")
    return Voice(engine, with_path(url, row.path or ""), voice or row.default_voice, model or row.default_model)


def with_path(url: str, path: str) -> str:
    """`http://host:8004` becomes `http://host:8004/tts`. ConfigError where it is no HTTP URL."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, a bracket left open
        is_good = False
    if not is_good:
        raise ConfigError(f"TTS server URL {as_typed(url)!r} is not of the form http://HOST:PORT{path}")
    return urlunsplit(parts._replace(path=path)) if parts.path in ("", "/") else url

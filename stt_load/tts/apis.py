"""Every speech API that can be measured: one row each. What is sent, and which options there are, is decided here.

Where the servers listen and how their voices are called is told in `audio/engines.py`, which makes clips with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stt_load.audio.engines import ENGINES
from stt_load.dialects.base import DialectOption

Options = Mapping[str, Any]
"""The parsed value of each option that its API has; None where the server is to decide."""


@dataclass(frozen=True, slots=True)
class TtsApi:
    """`engine`: its row in `ENGINES`. `body`: the JSON to be posted for a text."""

    name: str
    summary: str
    engine: str
    default_url: str
    options: tuple[DialectOption, ...]
    body: Callable[[str, Options], dict[str, Any]]
    unconfirmed: tuple[str, ...] = ()


def _chosen(*names: str) -> Callable[[str], str | None]:
    def parse(text: str) -> str | None:
        if text and text not in names:
            raise ValueError(f"{text!r} is not known: write {' or '.join(names)}")
        return text or None

    return parse


def _flag(text: str) -> bool | None:
    value = _chosen("true", "false")(text)
    return None if value is None else value == "true"


def _between(low: float, high: float) -> Callable[[str], float | None]:
    """A Chatterbox server takes what is outside its ranges without a word: held to them here."""

    def parse(text: str) -> float | None:
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is no number") from None
        if not low <= number <= high:
            raise ValueError(f"{text!r} must be from {low:g} to {high:g}")
        return number

    return parse


def _whole(low: int, high: int, why: str = "") -> Callable[[str], int | None]:
    def parse(text: str) -> int | None:
        if not text:
            return None
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} must be a whole number from {low} to {high}{why}")
        return int(text)

    return parse


def _text(text: str) -> str | None:
    return text or None


_SEED = _whole(1, 2**31 - 1, ": 0 is another voice each time")


def _chatterbox_body(text: str, options: Options) -> dict[str, Any]:
    # https://github.com/devnen/Chatterbox-TTS-Server, models.py and server.py (`stream` since May 2026; older ones
    # ignore it)
    is_clone = options["voice_mode"] == "clone"
    sent = {
        "text": text,
        "voice_mode": options["voice_mode"],
        "reference_audio_filename" if is_clone else "predefined_voice_id": options["voice"],
        "output_format": options["response_format"],
        "speed_factor": options["speed"],
    }
    same = ("stream", "seed", "split_text", "chunk_size", "temperature", "exaggeration", "cfg_weight", "language")
    return _without_none(sent | {key: options[key] for key in same})


def _openai_body(text: str, options: Options) -> dict[str, Any]:
    # https://platform.openai.com/docs/api-reference/audio/createSpeech
    return _without_none({"input": text, **options})


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


TTS_APIS: dict[str, TtsApi] = {
    row.name: row
    for row in (
        TtsApi(
            "tts-chatterbox",
            "Chatterbox-TTS-Server, POST /tts: a text in, an audio file or a stream out",
            "chatterbox",
            "http://localhost:8004/tts",
            (
                DialectOption(
                    "voice",
                    ENGINES["chatterbox"].default_voice,
                    "a voice of the server; with voice_mode=clone, a reference file of it",
                    _text,
                ),
                DialectOption(
                    "voice_mode", "predefined", "whose voice: predefined or clone", _chosen("predefined", "clone")
                ),
                DialectOption("response_format", "wav", "wav, opus or mp3", _chosen("wav", "opus", "mp3")),
                DialectOption("stream", "true", "true or false; servers before May 2026 ignore it", _flag),
                DialectOption("seed", "1", "the same audio each time; never 0", _SEED),
                DialectOption("split_text", "", "true or false: long texts in pieces", _flag),
                DialectOption("chunk_size", "", "characters of a piece, 50 to 500", _whole(50, 500)),
                DialectOption(
                    "speed", "", "0.25 to 4; the first request with another than 1 stalls", _between(0.25, 4)
                ),
                DialectOption("temperature", "", "0 to 1.5", _between(0.0, 1.5)),
                DialectOption("exaggeration", "", "0.25 to 2", _between(0.25, 2.0)),
                DialectOption("cfg_weight", "", "0.2 to 1", _between(0.2, 1.0)),
                DialectOption("language", "", "of the text, as the server calls it", _text),
            ),
            _chatterbox_body,
        ),
        TtsApi(
            "tts-openai",
            "OpenAI's POST /v1/audio/speech and servers that speak like it",
            "openai",
            "http://localhost:8000/v1/audio/speech",
            (
                DialectOption("model", ENGINES["openai"].default_model or "", "the model to ask for", _text),
                DialectOption("voice", ENGINES["openai"].default_voice, "the server's own name of a voice", _text),
                DialectOption(
                    "response_format",
                    "wav",
                    "wav, pcm, mp3, opus, flac or aac; the length of aac can't be told",
                    _chosen("wav", "pcm", "mp3", "opus", "flac", "aac"),
                ),
                DialectOption("stream_format", "", "audio or sse; clones commonly ignore it", _chosen("audio", "sse")),
                DialectOption("stream", "", "true or false: an addition of some clones", _flag),
                DialectOption("speed", "", "0.25 to 4", _between(0.25, 4.0)),
                DialectOption("seed", "", "an addition of some clones; never 0", _SEED),
                DialectOption("instructions", "", "how to speak", _text),
            ),
            _openai_body,
            unconfirmed=("stream_format=sse is read in the documentation; no server with it has been measured",),
        ),
    )
}

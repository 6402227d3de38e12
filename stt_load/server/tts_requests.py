"""What the stand-in for TTS servers is asked, and what it will not do: the checks of Chatterbox-TTS-Server, in their
order, with their statuses (https://github.com/devnen/Chatterbox-TTS-Server, server.py and models.py).

Ranges are not enforced there, and neither are they here; a seed below zero makes the engine fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

VOICES = ("Emily.wav", "Michael.wav", "alloy")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_FORMATS = {"/tts": ("wav", "opus", "mp3"), "/v1/audio/speech": ("wav", "opus", "mp3", "flac", "pcm")}


class Refused(Exception):
    """The request is wrong, or the engine failed: an HTTP status and FastAPI's `detail`."""

    def __init__(self, status: int, detail: object) -> None:
        self.status = status
        self.detail = detail
        super().__init__(f"{status}: {detail}")


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """`pieces`: the text as it is spoken, one after the other."""

    pieces: tuple[str, ...]
    format: str
    wants_stream: bool
    wants_events: bool = False


def read_request(path: str, body: Any) -> SpeechRequest:
    """Raises Refused."""
    if not isinstance(body, dict):
        raise Refused(422, [{"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be an object"}])
    return _READERS[path](path, body)


def _chatterbox(path: str, body: Mapping[str, Any]) -> SpeechRequest:
    text, form = _checked(path, body, "text", "output_format")
    chunk_size = body.get("chunk_size") or 120
    if not isinstance(chunk_size, int) or not 50 <= chunk_size <= 500:
        raise _wrong("chunk_size", "Input should be from 50 to 500")
    is_clone = body.get("voice_mode", "predefined") == "clone"
    key = "reference_audio_filename" if is_clone else "predefined_voice_id"
    if not body.get(key):
        raise Refused(400, f"Missing '{key}' for '{'clone' if is_clone else 'predefined'}' voice mode.")
    _check_voice(body[key])
    _check_seed(body)
    pieces = split(text, chunk_size) if body.get("split_text", True) else (text,)
    return SpeechRequest(pieces, form, bool(body.get("stream")))


def _openai(path: str, body: Mapping[str, Any]) -> SpeechRequest:
    text, form = _checked(path, body, "input", "response_format")
    _check_voice(body.get("voice"))
    _check_seed(body)
    # Raw chunked audio unless events are asked for: OpenAI streams by itself.
    return SpeechRequest(split(text, 120), form, True, body.get("stream_format") == "sse")


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], SpeechRequest]] = {
    "/tts": _chatterbox,
    "/v1/audio/speech": _openai,
}
PATHS = tuple(_READERS)


def split(text: str, chunk_size: int) -> tuple[str, ...]:
    """Sentences, joined up to `chunk_size` characters; a longer sentence is a piece of its own."""
    pieces: list[str] = []
    for sentence in _SENTENCE_END.split(text.strip()):
        if pieces and len(pieces[-1]) + 1 + len(sentence) <= chunk_size:
            pieces[-1] += " " + sentence
        else:
            pieces.append(sentence)
    return tuple(pieces)


def _checked(path: str, body: Mapping[str, Any], text_key: str, format_key: str) -> tuple[str, str]:
    text = body.get(text_key)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(text_key, "Field required" if text is None else "String should have at least 1 character")
    form = body.get(format_key, "wav")
    if form not in _FORMATS[path]:
        raise _wrong(format_key, f"Input should be {' or '.join(map(repr, _FORMATS[path]))}")
    return text, str(form)


def _check_voice(voice: object) -> None:
    if voice not in VOICES:
        raise Refused(404, f"Voice file '{voice}' not found.")


def _check_seed(body: Mapping[str, Any]) -> None:
    if isinstance(body.get("seed"), int) and body["seed"] < 0:
        raise Refused(500, "TTS engine failed to synthesize audio")


def _wrong(field: str, message: str) -> Refused:
    return Refused(422, [{"type": "value_error", "loc": ["body", field], "msg": message}])

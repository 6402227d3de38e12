"""What the embedded TTS server is asked for, and what it refuses: the checks of Chatterbox-TTS-Server, in their order,
with their statuses (https://github.com/devnen/Chatterbox-TTS-Server, server.py and models.py).

Ranges are not enforced there, and neither are they here; a seed below zero makes the engine fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ESPEAK_VOICES = {
    "Emily.wav": "en-us+f1",
    "Michael.wav": "en-us+m3",
    "alloy": "en-us",
    "echo": "en-us+m3",
    "nova": "en-us+f1",
}
"""The voices that may be asked for, of Chatterbox and of OpenAI, and espeak's voice for each. The same text is the same
audio each time: f2, f3 and f5 are not among them, since espeak breathes at random in these."""

_CHUNK_SIZE = 120  # characters: Chatterbox's own default
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_FORMATS = {"/tts": ("wav", "opus", "mp3"), "/v1/audio/speech": ("wav", "opus", "mp3", "flac", "pcm")}


class SpeechRefused(Exception):
    """The request is wrong, or the engine failed: an HTTP status and FastAPI's `detail`."""

    def __init__(self, status: int, detail: object) -> None:
        self.status = status
        self.detail = detail
        super().__init__(f"{status}: {detail}")


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to speak. `chunks`: the text in the parts that are synthesised one after the other. `format`: one of
    MEDIA_TYPES. `wants_events`: a stream is to come as server-sent events."""

    chunks: tuple[str, ...]
    voice: str
    format: str
    wants_stream: bool
    wants_events: bool = False

    @property
    def is_streamed(self) -> bool:
        """Compressed formats are finished files, whatever was asked for."""
        return self.wants_stream and self.format in ("wav", "pcm")


def read_request(path: str, body: Any) -> SpeechRequest:
    """Reads the JSON that was posted to one of PATHS. Raises SpeechRefused."""
    if not isinstance(body, dict):
        raise SpeechRefused(
            422, [{"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be an object"}]
        )
    return _READERS[path](path, body)


def _read_chatterbox(path: str, body: Mapping[str, Any]) -> SpeechRequest:
    text, form = _checked(path, body, "text", "output_format")
    chunk_size = body.get("chunk_size") or _CHUNK_SIZE
    if not isinstance(chunk_size, int) or not 50 <= chunk_size <= 500:
        raise _wrong("chunk_size", "Input should be from 50 to 500")
    is_clone = body.get("voice_mode", "predefined") == "clone"
    key = "reference_audio_filename" if is_clone else "predefined_voice_id"
    if not body.get(key):
        raise SpeechRefused(400, f"Missing '{key}' for '{'clone' if is_clone else 'predefined'}' voice mode.")
    voice = _checked_voice(body[key])
    _check_seed(body)
    chunks = split(text, chunk_size) if body.get("split_text", True) else (text,)
    return SpeechRequest(chunks, voice, form, bool(body.get("stream")))


def _read_openai(path: str, body: Mapping[str, Any]) -> SpeechRequest:
    text, form = _checked(path, body, "input", "response_format")
    voice = _checked_voice(body.get("voice"))
    _check_seed(body)
    # Raw chunked audio unless events are asked for: OpenAI streams by itself.
    return SpeechRequest(split(text, _CHUNK_SIZE), voice, form, True, body.get("stream_format") == "sse")


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], SpeechRequest]] = {
    "/tts": _read_chatterbox,
    "/v1/audio/speech": _read_openai,
}
PATHS = tuple(_READERS)


def split(text: str, chunk_size: int) -> tuple[str, ...]:
    """Sentences, joined up to `chunk_size` characters; a longer sentence is a chunk of its own."""
    chunks: list[str] = []
    for sentence in _SENTENCE_END.split(text.strip()):
        if chunks and len(chunks[-1]) + 1 + len(sentence) <= chunk_size:
            chunks[-1] += " " + sentence
        else:
            chunks.append(sentence)
    return tuple(chunks)


def _checked(path: str, body: Mapping[str, Any], text_key: str, format_key: str) -> tuple[str, str]:
    text = body.get(text_key)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(text_key, "Field required" if text is None else "String should have at least 1 character")
    form = body.get(format_key, "wav")
    if form not in _FORMATS[path]:
        raise _wrong(format_key, f"Input should be {' or '.join(map(repr, _FORMATS[path]))}")
    return text, str(form)


def _checked_voice(voice: object) -> str:
    if not isinstance(voice, str) or voice not in ESPEAK_VOICES:
        raise SpeechRefused(404, f"Voice file '{voice}' not found.")
    return voice


def _check_seed(body: Mapping[str, Any]) -> None:
    if isinstance(body.get("seed"), int) and body["seed"] < 0:
        raise SpeechRefused(500, "TTS engine failed to synthesize audio")


def _wrong(field: str, message: str) -> SpeechRefused:
    return SpeechRefused(422, [{"type": "value_error", "loc": ["body", field], "msg": message}])

"""A transcript as server-sent events, in the shapes that servers use; told apart by what comes.

    OpenAI, speaches       {"type":"transcript.text.delta","delta":…} …  {"type":"transcript.text.done","text":…}
    vLLM                   {"choices":[{"delta":{"content":…}}]} …        [DONE]
    WhisperLive, and       {"text":…} for each segment …                  the end of the answer; WhisperLive: [DONE] too
    speaches until 2025
    the same as text       the bare text of each segment …                the end of the answer

In speaches the text of `done` is always empty: the server has read its segments already, for the deltas. There the
deltas are the transcript.

Sources: openai/openai-python `src/openai/types/audio/`, vllm-project/vllm `vllm/entrypoints/speech_to_text`,
speaches-ai/speaches `src/speaches/executors/whisper.py` at 0d7d569 and, before, `src/speaches/routers/stt.py` at
06120fb, collabora/WhisperLive `whisper_live/server.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stt_load.dialects.wire import interim_text, shown
from stt_load.errors import ProtocolError
from stt_load.metrics.model_tags import says_something
from stt_load.session.sse import DONE, EventFrames
from stt_load.text.whole_characters import with_whole_characters
from stt_load.uploads.answers import UploadAnswer, WholeReader, error_in, timings_in

EVENTS = "text/event-stream"
# Of one answer: an event takes two or three, and nobody says 50 words a second.
_LINES_AT_ONCE = 5_000
_LINES_PER_S = 150


class EventReader:
    """Reads server-sent events into a transcript. An event of no known shape says nothing. `may_be_plain`: text was
    asked for, so that an event which is no JSON is the text of a segment. `audio_s`: length of the clip.

    `feed` and `close` are those of `answers.WholeReader`.
    """

    def __init__(self, may_be_plain: bool = False, audio_s: float = 0.0) -> None:
        self._may_be_plain = may_be_plain
        self._frames = EventFrames(_LINES_AT_ONCE + round(_LINES_PER_S * audio_s))
        self._deltas: list[str] = []
        self._segments: list[tuple[float, str]] = []
        self._whole = ""
        self._first_text_at_s: float | None = None
        self._at_s = 0.0
        self._is_done = False
        self._error: str | None = None
        self._server_ms: dict[str, float] = {}

    def feed(self, data: bytes, at_s: float) -> None:
        self._at_s = at_s
        for event in self._frames.feed(data):
            self._on_event(event)

    def close(self) -> UploadAnswer:
        for event in self._frames.close():
            self._on_event(event)
        # A server may cut a character in two, so deltas are joined before they are looked at.
        text = self._whole or with_whole_characters("".join(self._deltas)).strip()
        text = text or " ".join(segment for _, segment in self._segments)
        messages = self._segments or ([(self._at_s, text)] if text else [])
        return UploadAnswer(
            text=text,
            messages=tuple(messages),
            first_text_at_s=self._first_text_at_s,
            server_ms=self._server_ms,
            error=self._error,
            is_whole=self._is_done or not self._deltas,
        )

    def _on_event(self, data: bytes) -> None:
        if data.strip() == DONE:
            self._is_done = True
            return
        body = _object_in(data)
        if body is None:
            if not self._may_be_plain:
                raise ProtocolError(f"an event that is no JSON object: {shown(data)}")
            self._on_text(data.decode("utf-8", "replace"))
            return
        self._server_ms |= timings_in(body)
        self._error = self._error or with_whole_characters(_error_of(body))
        for is_mine, take in _SHAPES:
            if is_mine(body):
                take(self, body)
                return

    def _on_delta(self, body: Mapping[str, Any]) -> None:
        self._add(body.get("delta"))

    def _add(self, text: object) -> None:
        if isinstance(text, str):
            self._note(text)
            self._deltas.append(text)

    def _on_chunk(self, body: Mapping[str, Any]) -> None:
        for choice in body["choices"]:
            delta = choice.get("delta") if isinstance(choice, Mapping) else None
            self._add(delta.get("content") if isinstance(delta, Mapping) else None)

    def _on_done(self, body: Mapping[str, Any]) -> None:
        self._whole, self._is_done = with_whole_characters(interim_text(body, "text")), True
        self._note(self._whole)

    def _on_segment(self, body: Mapping[str, Any]) -> None:
        self._on_text(with_whole_characters(body["text"]))

    def _on_text(self, text: str) -> None:
        text = " ".join(text.split())
        self._note(text)
        if text:
            self._segments.append((self._at_s, text))

    def _note(self, text: str) -> None:
        if self._first_text_at_s is None and says_something(text):
            self._first_text_at_s = self._at_s


def reader_of(content_type: str, asked_for: str | None = None, audio_s: float = 0.0) -> EventReader | WholeReader:
    """The reader for a body that is said to be of this type. `asked_for`: the `response_format` of the request.
    `audio_s`: length of the clip."""
    media_type = content_type.partition(";")[0].strip().lower()
    is_text = asked_for == "text"
    return EventReader(is_text, audio_s) if media_type == EVENTS else WholeReader(is_text or media_type == "text/plain")


def _object_in(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _error_of(body: Mapping[str, Any]) -> str | None:
    if body.get("type") == "error":
        return str(error_in(body) or body.get("message") or body)
    return error_in(body)


_SHAPES: tuple[tuple[Callable[[Mapping[str, Any]], bool], Callable[[EventReader, Mapping[str, Any]], None]], ...] = (
    (lambda body: body.get("type") == "transcript.text.delta", EventReader._on_delta),
    (lambda body: body.get("type") == "transcript.text.done", EventReader._on_done),
    # transcript.text.segment of the speaker models, and whatever comes next: their texts come again in `done`.
    (lambda body: str(body.get("type", "")).startswith("transcript."), lambda _reader, _body: None),
    (lambda body: isinstance(body.get("choices"), list), EventReader._on_chunk),
    (lambda body: isinstance(body.get("text"), str), EventReader._on_segment),
)
"""What an event is, by the first question that says yes."""

"""Audio in server-sent events, as OpenAI's `stream_format: sse` has it.

    data: {"type": "speech.audio.delta", "audio": "<base64>"}
    data: {"type": "speech.audio.done", "usage": {…}}

https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event (read, September 2026)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from stt_load.errors import ProtocolError
from stt_load.tts.faults import ServerFailed

CONTENT_TYPE = "text/event-stream"
_LONGEST_LINE_BYTES = 16 * 1024 * 1024


class AudioEvents:
    """Bytes of an event stream in, bytes of audio out. `is_done`: the server has said so."""

    def __init__(self) -> None:
        self.is_done = False
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The audio of every event that is whole now. ProtocolError for what is none, ServerFailed where one
        says that it failed."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            raise ProtocolError("an event of the answer has no end")
        return b"".join(self._audio_of(event) for event in self._events(lines))

    def _events(self, lines: list[bytes]) -> Iterator[dict[str, Any]]:
        for line in lines:
            field, _, value = line.strip().partition(b":")
            if field != b"data":
                continue
            if value.strip() == b"[DONE]":  # of clones
                self.is_done = True
                continue
            try:
                event = json.loads(value)
            except ValueError:
                raise ProtocolError(f"an event of the answer is no JSON: {value[:60]!r}") from None
            if isinstance(event, dict):
                yield event

    def _audio_of(self, event: dict[str, Any]) -> bytes:
        kind = str(event.get("type", ""))
        if "error" in event or kind == "error":
            raise ServerFailed(f"the server failed: {str(event.get('error') or event.get('message'))[:200]}")
        self.is_done |= kind == "speech.audio.done"
        if kind != "speech.audio.delta":
            return b""
        try:
            return base64.b64decode(event.get("audio") or event.get("delta") or "", validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise ProtocolError("the audio of an event is no base64") from None

"""Audio in server-sent events, as OpenAI's `stream_format: sse` has it.

    data: {"type": "speech.audio.delta", "audio": "<base64>"}
    data: {"type": "speech.audio.done", "usage": {…}}

https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event (read, September 2026)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any

from stt_load.errors import FailureReported, ProtocolError
from stt_load.session.sse import DONE, EventFrames

CONTENT_TYPE = "text/event-stream"


class AudioEvents:
    """Reads audio out of an event stream. `is_done`: the server has said that the audio is complete."""

    def __init__(self) -> None:
        self.is_done = False
        self._frames = EventFrames()

    def feed(self, data: bytes) -> bytes:
        """Takes bytes; gives the audio of every event that is whole now. Raises ProtocolError for what is no audio,
        FailureReported where the server says that it failed."""
        return self._audio_of_all(self._frames.feed(data))

    def close(self) -> bytes:
        """Says that the answer is over; gives the audio of an event that lacked its end. Raises as `feed`."""
        return self._audio_of_all(self._frames.close())

    def _audio_of_all(self, events: Iterable[bytes]) -> bytes:
        return b"".join(self._audio_of(event) for event in events)

    def _audio_of(self, data: bytes) -> bytes:
        if data.strip() == DONE:  # some clones end with it
            self.is_done = True
            return b""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise ProtocolError(f"an event of the answer is no JSON: {data[:60]!r}") from None
        return self._audio_in(event) if isinstance(event, dict) else b""

    def _audio_in(self, event: dict[str, Any]) -> bytes:
        kind = str(event.get("type", ""))
        if "error" in event or kind == "error":
            raise FailureReported(f"the server failed: {str(event.get('error') or event.get('message'))[:200]}")
        self.is_done |= kind == "speech.audio.done"
        if kind != "speech.audio.delta":
            return b""
        try:
            return base64.b64decode(event.get("audio") or event.get("delta") or "", validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise ProtocolError("the audio of an event is no base64") from None

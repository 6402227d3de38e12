"""WhisperLive, as `stt_load/dialects/whisperlive.py` describes it.

A pass is a tick of 0.1 s that sends the segments there are, changed or not. With `?max_connection_time=SECONDS` it
hangs up sooner than after 300 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from stt_load.dialects.events import Message
from stt_load.dialects.wire import as_int16
from stt_load.server.server_dialect import (
    Close,
    ConnectionAction,
    FeedAudio,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)

_ENOUGH_S = 1.0  # unsettled audio that a pass needs
_BUFFER_S = 45.0
_TRIMMED_S = 30.0
_NEEDED = ("uid", "language", "task", "model")
_FULL_MINUTES = 5.0


class WhisperLiveServer(ServerDialect):
    path = "/"
    max_segment_s = 30.0
    tick_s = 0.1

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._greeting: dict[str, Any] = {}
        self._completed: list[dict[str, object]] = []
        self._tail: RecognisedSegment | None = None
        self._n_same = 0
        self._n_ticks = 0
        self._received_s = 0.0
        self._settled_s = 0.0  # all audio before is settled
        self._buffer_start_s = 0.0

    def refuse(self) -> UpgradeRefusal | None:
        shown = (self.request.headers.get("authorization", ""), f"Bearer {self.request.query.get('token', '')}")
        if self.request.key is not None and f"Bearer {self.request.key}" not in shown:
            return UpgradeRefusal(401, "Unauthorized\n")
        return None

    def on_full(self) -> Sequence[ConnectionAction]:
        return (self._message({"status": "WAIT", "message": _FULL_MINUTES}), Close(1000))

    def on_message(self, message: Message) -> Iterator[ServerAction]:
        if not self._greeting:
            yield self._greet(message)
        elif self._n_ticks * self.tick_s >= float(self.request.query.get("max_connection_time", "300")):
            yield self._message({"message": "DISCONNECT"})
            yield Close(1000)
        elif isinstance(message, str) or message == b"END_OF_AUDIO":
            yield Close(1000)
        else:
            yield self._on_audio(message)

    def _greet(self, message: Message) -> ServerAction:
        """The first message: JSON that names the client. Anything else gets a closing handshake and no message."""
        try:
            self._greeting = json.loads(message)
            is_usable = all(key in self._greeting for key in _NEEDED)
        except (ValueError, TypeError):
            is_usable = False
        if not is_usable or self._greeting.get("audio_format", "float32") not in ("float32", "int16"):
            return Close(1000)
        return self._message({"message": "SERVER_READY", "backend": "faster_whisper"})

    def _on_audio(self, message: bytes) -> ServerAction:
        try:
            pcm = message if self._greeting.get("audio_format") == "int16" else as_int16(message)
        except ValueError:
            return Close(1000)
        if len(pcm) % 2:
            return Close(1000)
        if self._received_s - self._buffer_start_s > _BUFFER_S:
            self._buffer_start_s += _TRIMMED_S
            self._settled_s = max(self._settled_s, self._buffer_start_s)
        self._received_s += len(pcm) / 2 / self.sample_rate_hz
        return FeedAudio(pcm)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        """Keeps the text for the next pass, unless its audio has been dropped meanwhile."""
        if recognised.end_s > self._buffer_start_s and recognised.text:
            if self._tail is not None:
                self._complete(self._tail, self._tail.start_s)
            self._tail, self._n_same = recognised, 0
        return ()

    def on_tick(self) -> Sequence[ServerAction]:
        self._n_ticks += 1
        if self._tail is None or self._received_s - self._settled_s < _ENOUGH_S:
            return ()
        self._n_same += 1
        if self._n_same <= self._greeting.get("same_output_threshold", 10):
            return (self._message({"segments": [*self._latest(), _segment(self._tail, self._tail.start_s)]}),)
        # Repeated often enough: it begins where the last one ended, wherever its words do.
        self._complete(self._tail, self._settled_s)
        self._tail = None
        return (self._message({"segments": self._latest()}),)

    def _complete(self, segment: RecognisedSegment, start_s: float) -> None:
        self._completed.append(_segment(segment, start_s, is_completed=True))
        self._settled_s = max(self._settled_s, segment.end_s)

    def _latest(self) -> list[dict[str, object]]:
        return self._completed[-self._greeting.get("send_last_n_segments", 10) :]

    def _message(self, body: dict[str, object]) -> SendMessage:
        return SendMessage(json.dumps({"uid": self._greeting.get("uid"), **body}))


def _segment(segment: RecognisedSegment, start_s: float, is_completed: bool = False) -> dict[str, object]:
    times = {"start": f"{start_s:.3f}", "end": f"{segment.end_s:.3f}"}
    return {**times, "text": f" {segment.text}", "completed": is_completed}

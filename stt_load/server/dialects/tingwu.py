"""TingWu, as `stt_load/dialects/tingwu.py` describes it: what ends an utterance is the frame after the end message.

Two differences: there are no partials, and callers don't stall each other more than the recogniser makes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
    Abort,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRequest,
)

CONNECTED = {
    "type": "connected",
    "connection_id": "00000000-0000-4000-8000-000000000000",
    "config": {"chunk_size": 9600, "heartbeat_interval": 30, "compression": True},
}


class TingWuServer(ServerDialect):
    path = "/ws/realtime"
    endpoint_s = None
    max_segment_s = 60.0
    tick_s = 30.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._is_speaking = False
        self._mode = "2pass"
        self._texts: list[str] = []

    def on_open(self) -> Sequence[ServerAction]:
        return (SendMessage(json.dumps(CONNECTED)),)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, str):
            return self._on_config(message)
        feed = FeedAudio(message[: len(message) // 2 * 2])
        if self._is_speaking:
            return (feed,)
        return (feed, Flush())

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._texts.append(recognised.text)
        return ()

    def on_flushed(self) -> Sequence[ServerAction]:
        text = " ".join(text for text in self._texts if text)
        self._texts.clear()
        if not text or self._mode == "online":
            return ()
        mode = "2pass-offline" if self._mode == "2pass" else self._mode
        return (SendMessage(json.dumps({"mode": mode, "text": text, "is_final": True})),)

    def on_failed(self) -> Sequence[ServerAction]:
        return ()

    def on_tick(self) -> Sequence[ServerAction]:
        return (SendMessage('{"type": "ping", "timestamp": 0.0}'),)

    def _on_config(self, message: str) -> Sequence[ServerAction]:
        try:
            config = json.loads(message)
        except ValueError:
            return ()
        if not isinstance(config, dict):
            return (Abort(),)
        self._is_speaking = config.get("is_speaking", self._is_speaking)
        self._mode = config.get("mode", self._mode)
        return ()

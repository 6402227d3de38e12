"""TingWu, as `stt_load/dialects/tingwu.py` describes it: what ends an utterance is the frame after the end message.

Two differences: there are no partials, and callers don't stall each other more than the recogniser makes them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import Doing, Drop, Flush, Hear, Recognised, Say, ServerDialect, UpgradeRequest

CONNECTED = {
    "type": "connected",
    "connection_id": "00000000-0000-4000-8000-000000000000",
    "config": {"chunk_size": 9600, "heartbeat_interval": 30, "compression": True},
}


class TingWuServer(ServerDialect):
    path = "/ws/realtime"
    endpoint_s = None
    max_piece_s = 60.0
    tick_s = 30.0

    def __init__(self, door: UpgradeRequest) -> None:
        super().__init__(door)
        self._is_speaking = False
        self._mode = "2pass"
        self._texts: list[str] = []

    def on_open(self) -> Sequence[Doing]:
        return (Say(json.dumps(CONNECTED)),)

    def on_message(self, message: Message) -> Sequence[Doing]:
        if isinstance(message, str):
            return self._on_config(message)
        heard = Hear(message[: len(message) // 2 * 2])
        if self._is_speaking:
            return (heard,)
        return (heard, Flush())

    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        self._texts.append(recognised.text)
        return ()

    def on_flushed(self) -> Sequence[Doing]:
        text = " ".join(text for text in self._texts if text)
        self._texts.clear()
        if not text or self._mode == "online":
            return ()
        mode = "2pass-offline" if self._mode == "2pass" else self._mode
        return (Say(json.dumps({"mode": mode, "text": text, "is_final": True})),)

    def on_failed(self) -> Sequence[Doing]:
        return ()

    def on_tick(self) -> Sequence[Doing]:
        return (Say('{"type": "ping", "timestamp": 0.0}'),)

    def _on_config(self, message: str) -> Sequence[Doing]:
        try:
            config = json.loads(message)
        except ValueError:
            return ()
        if not isinstance(config, dict):
            return (Drop(),)
        self._is_speaking = config.get("is_speaking", self._is_speaking)
        self._mode = config.get("mode", self._mode)
        return ()

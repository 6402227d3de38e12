"""Parakeet FastAPI, as `stt_load/dialects/parakeet.py` describes it.

Two differences from the original, both on purpose: the rest of a frame that is no multiple of 512 samples is kept,
and a text reaches the caller who said it. With `?timings=1` each text says what it took.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.server.voice import Doing, Drop, Hear, Recognised, Refusal, Say, Voice


class ParakeetVoice(Voice):
    def refuse(self) -> Refusal | None:
        if self.door.key is not None and self.door.headers.get("x-api-key") != self.door.key:
            return Refusal(403, '{"error": "invalid API key"}')
        return None

    def on_message(self, message: Message) -> Sequence[Doing]:
        if isinstance(message, str) or len(message) % 2:
            return (Drop(),)
        return (Hear(message),)

    def on_cut(self) -> Sequence[Doing]:
        return (Say('{"status":"queued"}'),)

    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        reply: dict[str, object] = {"text": recognised.text}
        if self.door.query.get("timings", "0") not in ("0", ""):
            reply["timings_ms"] = {name: round(value, 3) for name, value in recognised.times_ms.items()}
        return (Say(json.dumps(reply)),)

    def on_failed(self) -> Sequence[Doing]:
        return (Say('{"error": "the decoder of this piece died"}'),)

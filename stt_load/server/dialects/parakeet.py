"""Parakeet FastAPI, as `stt_load/dialects/parakeet.py` describes it.

As the fork does it: a text reaches the caller who spoke it. The rest of a frame that is no multiple of 512 samples is
kept. With `?original=1` it is thrown away, and all such callers share one list of results: the oldest connection takes
them all, whoever spoke, and the others wait in vain. With `?timings=1` each text carries its times.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
    Abort,
    FeedAudio,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)

_WINDOW_BYTES = 1_024


class ParakeetServer(ServerDialect):
    _results: ClassVar[list[str]] = []  # shared by all callers with `?original=1`
    _waiting: ClassVar[list[ParakeetServer]] = []  # the connections of these callers, the oldest first

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._is_original = request.query.get("original", "0") not in ("0", "")

    def on_open(self) -> Sequence[ServerAction]:
        if self._is_original:
            self.tick_s = 0.05
            self._waiting.append(self)
        return ()

    def on_closed(self) -> None:
        if self in self._waiting:
            self._waiting.remove(self)

    def on_tick(self) -> Sequence[ServerAction]:
        if self._waiting[:1] != [self]:
            return ()
        taken = [SendMessage(result) for result in self._results]
        self._results.clear()
        return taken

    def refuse(self) -> UpgradeRefusal | None:
        if self.request.key is not None and self.request.headers.get("x-api-key") != self.request.key:
            return UpgradeRefusal(403, '{"error": "invalid API key"}')
        return None

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, str) or len(message) % 2:
            return (Abort(),)
        n_lost = len(message) % _WINDOW_BYTES if self._is_original else 0
        return (FeedAudio(message[: len(message) - n_lost]),)

    def on_segment(self) -> Sequence[ServerAction]:
        return (SendMessage('{"status":"queued"}'),)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        reply: dict[str, object] = {"text": recognised.text}
        if self.request.query.get("timings", "0") not in ("0", ""):
            reply["timings_ms"] = {name: round(value, 3) for name, value in recognised.times_ms.items()}
        if self._is_original:
            self._results.append(json.dumps(reply))
            return ()
        return (SendMessage(json.dumps(reply)),)

    def on_failed(self) -> Sequence[ServerAction]:
        return (SendMessage('{"error": "the decoder of this segment died"}'),)

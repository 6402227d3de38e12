"""Parakeet FastAPI, as `stt_load/dialects/parakeet.py` describes it.

As the fork does it: a text reaches the caller who said it. The rest of a frame that is no multiple of 512 samples is
kept. With `?original=1` it is thrown away, and results lie in one place for all such callers: the oldest connection
takes them all, whoever spoke, and the others wait for nothing. With `?timings=1` each text says what it took.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import Doing, Drop, Hear, Recognised, Refusal, Say, ServerDialect, UpgradeRequest

_WINDOW_BYTES = 1_024


class ParakeetServer(ServerDialect):
    _results: ClassVar[list[str]] = []  # of all callers of the original
    _waiting: ClassVar[list[ParakeetServer]] = []  # its connections, the oldest first

    def __init__(self, door: UpgradeRequest) -> None:
        super().__init__(door)
        self._is_original = door.query.get("original", "0") not in ("0", "")

    def on_open(self) -> Sequence[Doing]:
        if self._is_original:
            self.tick_s = 0.05
            self._waiting.append(self)
        return ()

    def on_closed(self) -> None:
        if self in self._waiting:
            self._waiting.remove(self)

    def on_tick(self) -> Sequence[Doing]:
        if self._waiting[:1] != [self]:
            return ()
        taken = [Say(result) for result in self._results]
        self._results.clear()
        return taken

    def refuse(self) -> Refusal | None:
        if self.door.key is not None and self.door.headers.get("x-api-key") != self.door.key:
            return Refusal(403, '{"error": "invalid API key"}')
        return None

    def on_message(self, message: Message) -> Sequence[Doing]:
        if isinstance(message, str) or len(message) % 2:
            return (Drop(),)
        n_lost = len(message) % _WINDOW_BYTES if self._is_original else 0
        return (Hear(message[: len(message) - n_lost]),)

    def on_cut(self) -> Sequence[Doing]:
        return (Say('{"status":"queued"}'),)

    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        reply: dict[str, object] = {"text": recognised.text}
        if self.door.query.get("timings", "0") not in ("0", ""):
            reply["timings_ms"] = {name: round(value, 3) for name, value in recognised.times_ms.items()}
        if self._is_original:
            self._results.append(json.dumps(reply))
            return ()
        return (Say(json.dumps(reply)),)

    def on_failed(self) -> Sequence[Doing]:
        return (Say('{"error": "the decoder of this piece died"}'),)

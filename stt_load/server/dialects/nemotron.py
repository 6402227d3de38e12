"""Nemotron Speech server, as `stt_load/dialects/nemotron.py` describes it.

Its partial texts are those of the segments that were cut so far, where the original has a text every 160 ms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
    Close,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRequest,
)


class NemotronServer(ServerDialect):
    path = "/"

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._texts: list[str] = []  # since the last hard reset
        self._is_resetting = False

    def on_open(self) -> Sequence[ServerAction]:
        return (SendMessage('{"type": "ready"}'),)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, bytes):
            return (FeedAudio(message),) if len(message) % 2 == 0 else _failed("buffer size must be a multiple of 2")
        try:
            body = json.loads(message)
        except ValueError:
            return ()
        if not isinstance(body, dict):
            return _failed(f"{type(body).__name__!r} object has no attribute 'get'")
        if body.get("type") not in ("reset", "end"):
            return ()
        if not body.get("finalize", True):
            return (self._transcript(is_final=True, finalize=False),)
        self._is_resetting = True
        return (Flush(),)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        if not recognised.text:
            return ()
        self._texts.append(recognised.text)
        return () if self._is_resetting else (self._transcript(is_final=False),)

    def on_flushed(self) -> Sequence[ServerAction]:
        final = self._transcript(is_final=True, finalize=True)
        self._texts.clear()
        self._is_resetting = False
        return (final,)

    def on_failed(self) -> Sequence[ServerAction]:
        return ()

    def _transcript(self, **more: bool) -> SendMessage:
        return SendMessage(json.dumps({"type": "transcript", "text": " ".join(self._texts), **more}))


def _failed(why: str) -> Sequence[ServerAction]:
    return (SendMessage(json.dumps({"type": "error", "message": why})), Close())

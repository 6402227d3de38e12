"""Deepgram's `/v1/listen`, as `stt_load/dialects/deepgram.py` describes it.

`endpointing` (10 ms where nothing is asked for, as Deepgram's; in steps of 32 ms), `sample_rate` and the key are
heeded. There are no interim results, and no `UtteranceEnd`. `Finalize` with nothing left to recognise is not answered.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.wire import try_object
from stt_load.server.server_dialect import (
    Close,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)

ENCODING = "linear16"
OWN_ENDPOINTING_MS = 10


class DeepgramServer(ServerDialect):
    path = "/v1/listen"

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        rate, endpointing = request.query.get("sample_rate", ""), request.query.get("endpointing", "")
        self.sample_rate_hz = int(rate) if rate.isdecimal() else 16_000
        ends_after_ms = int(endpointing) if endpointing.isdecimal() else OWN_ENDPOINTING_MS
        self.endpoint_s = None if endpointing == "false" else ends_after_ms / 1_000
        self._flush: str | None = None  # the control message whose Flush is under way
        self._cuts: deque[str | None] = deque()  # what cut each owed segment; None: the endpointer
        self._received_bytes = 0

    def refuse(self) -> UpgradeRefusal | None:
        if self.request.key is not None and self.request.headers.get("authorization") != f"Token {self.request.key}":
            return UpgradeRefusal(401, '{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}')
        if self.request.query.get("encoding", ENCODING) != ENCODING:
            return UpgradeRefusal(
                400, '{"err_code":"Bad Request","err_msg":"only linear16 is taken here, as of --codec mulaw8k-decoded"}'
            )
        return None

    def on_full(self) -> UpgradeRefusal:
        return UpgradeRefusal(429, '{"err_code":"TOO_MANY_REQUESTS","err_msg":"Too many requests."}')

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, bytes):
            self._flush = None
            self._received_bytes += len(message)
            return (FeedAudio(message),)
        control = try_object(message).get("type")
        if control == "Finalize" or control == "CloseStream":
            self._flush = control
            return (Flush(),)
        return ()

    def on_segment(self) -> Sequence[ServerAction]:
        self._cuts.append(self._flush)
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        cut = self._cuts.popleft()
        results = {
            "type": "Results",
            "channel_index": [0, 1],
            "start": round(recognised.start_s, 3),
            "duration": round(recognised.end_s - recognised.start_s, 3),
            "is_final": True,
            "speech_final": cut is None,
            "from_finalize": cut == "Finalize",
            "channel": {"alternatives": [{"transcript": recognised.text, "confidence": 1.0, "words": []}]},
        }
        return (SendMessage(json.dumps(results)),)

    def on_flushed(self) -> Sequence[ServerAction]:
        if self._flush != "CloseStream":
            return ()
        duration_s = self._received_bytes / 2 / self.sample_rate_hz
        metadata = {"type": "Metadata", "request_id": "1", "sha256": "", "channels": 1, "duration": duration_s}
        return (SendMessage(json.dumps(metadata)), Close())

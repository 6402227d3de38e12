"""Deepgram Flux's `/v2/listen`, as `stt_load/dialects/deepgram_flux.py` describes it.

`sample_rate`, the key, `eot_timeout_ms` and the two thresholds are heeded: natively a turn ends after `NATIVE_END_S` of
silence, not at all with `eot_threshold=1.0`. A turn has no text before its end, so its first `TurnInfo` has all of it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence

from stt_load.dialects.deepgram_flux import NO_NATIVE_ENDS, OWN_TIMEOUT_MS
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

NATIVE_END_S = 0.35
_REQUEST = "00000000-0000-4000-8000-000000000001"


class DeepgramFluxServer(ServerDialect):
    path = "/v2/listen"
    max_segment_s = 60.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        query = request.query
        self.sample_rate_hz = int(query.get("sample_rate", "16000"))
        timeout_s = int(query.get("eot_timeout_ms", str(OWN_TIMEOUT_MS))) / 1_000
        is_manual = float(query.get("eot_threshold", "0.7")) >= NO_NATIVE_ENDS
        self._trigger = "timeout" if is_manual or timeout_s < NATIVE_END_S else "model"
        self.endpoint_s = timeout_s if is_manual else min(timeout_s, NATIVE_END_S)
        self._is_eager = "eager_eot_threshold" in query
        self._flush: str | None = None  # the control message whose Flush is under way
        self._cuts: deque[str | None] = deque()  # what cut each owed segment; None: the endpointer
        self._n_sent = self._n_turns = 0
        self._received_bytes = 0

    def refuse(self) -> UpgradeRefusal | None:
        if self.request.key is not None and self.request.headers.get("authorization") != f"Token {self.request.key}":
            return UpgradeRefusal(401, '{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}')
        if self.request.query.get("encoding") != "linear16" or "model" not in self.request.query:
            return UpgradeRefusal(400, '{"err_code":"Bad Request","err_msg":"a model and linear16 are taken here"}')
        return None

    def on_full(self) -> UpgradeRefusal:
        return UpgradeRefusal(429, '{"err_code":"TOO_MANY_REQUESTS","err_msg":"Too many requests."}')

    def on_open(self) -> Sequence[ServerAction]:
        return (self._message("Connected"),)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, bytes):
            self._flush = None
            self._received_bytes += len(message)
            return (FeedAudio(message),)
        control = try_object(message).get("type")
        if control == "ForceEndTurn" or control == "CloseStream":
            self._flush = control
            return (Flush(),)
        description = "the message could not be understood"
        return (self._message("Error", code="UNPARSABLE_CLIENT_MESSAGE", description=description), Close(1011))

    def on_segment(self) -> Sequence[ServerAction]:
        self._cuts.append(self._flush)
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        cut = self._cuts.popleft()
        last = "Update" if cut == "CloseStream" else "EndOfTurn"
        events = ["StartOfTurn", *(["EagerEndOfTurn"] if self._is_eager and cut is None else []), last]
        told = [self._turn_info(event, recognised, cut) for event in events]
        self._n_turns += last == "EndOfTurn"
        return told

    def on_flushed(self) -> Sequence[ServerAction]:
        return (Close(),) if self._flush == "CloseStream" else ()

    def _turn_info(self, event: str, recognised: RecognisedSegment, cut: str | None) -> ServerAction:
        trigger = {"trigger": "manual" if cut else self._trigger} if event == "EndOfTurn" else {}
        return self._message(
            "TurnInfo",
            event=event,
            turn_index=self._n_turns,
            audio_window_start=round(recognised.start_s, 3),
            audio_window_end=round(self._received_bytes / 2 / self.sample_rate_hz, 3),
            transcript=recognised.text,
            words=[{"word": word, "confidence": 1.0} for word in recognised.text.split()],
            end_of_turn_confidence=0.1 if event in ("StartOfTurn", "Update") else 0.9,
            **trigger,
        )

    def _message(self, kind: str, **body: object) -> SendMessage:
        numbered = {"type": kind, "request_id": _REQUEST, "sequence_id": self._n_sent, **body}
        self._n_sent += 1
        return SendMessage(json.dumps(numbered))

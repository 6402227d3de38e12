"""AssemblyAI's `/v3/ws`, as `stt_load/dialects/assemblyai.py` describes it: the end of a turn is sent twice where
`format_turns` asks for it, a message of less than 50 or more than 1,000 ms ends the session.

Turns end by `min_turn_silence` alone: there is no model of whether the speaker has finished.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.wire import try_object
from stt_load.server.server_dialect import (
    Close,
    ConnectionAction,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRequest,
)

MESSAGE_S = (0.05, 1.0)
OWN_MIN_TURN_SILENCE_MS = 400
NOT_AUTHORIZED, BAD_AUDIO_LENGTH, TOO_MANY = 4001, 3007, 3009


class AssemblyAIServer(ServerDialect):
    path = "/v3/ws"

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        rate, silence_ms = request.query.get("sample_rate", ""), request.query.get("min_turn_silence", "")
        self.sample_rate_hz = int(rate) if rate.isdecimal() else 16_000
        self.endpoint_s = (int(silence_ms) if silence_ms.isdecimal() else OWN_MIN_TURN_SILENCE_MS) / 1_000
        self._formats = request.query.get("format_turns") == "true"
        self._turns = 0
        self._received_s = 0.0
        self._is_terminating = False

    def on_full(self) -> Sequence[ConnectionAction]:
        return _refused(TOO_MANY, "Too many concurrent sessions")

    def on_open(self) -> Sequence[ServerAction]:
        if self.request.key is not None and self.request.headers.get("authorization") != self.request.key:
            return _refused(NOT_AUTHORIZED, "Not Authorized")
        return (SendMessage('{"type": "Begin", "id": "1", "expires_at": "2030-01-01T00:00:00Z"}'),)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, bytes):
            audio_s = len(message) / 2 / self.sample_rate_hz
            if not MESSAGE_S[0] <= audio_s <= MESSAGE_S[1]:
                return _refused(BAD_AUDIO_LENGTH, "Audio chunk duration violation")
            self._received_s += audio_s
            return (FeedAudio(message),)
        kind = try_object(message).get("type")
        self._is_terminating = kind == "Terminate"
        return (Flush(),) if kind in ("Terminate", "ForceEndpoint") else ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        order, self._turns = self._turns, self._turns + 1
        raw = {"type": "Turn", "turn_order": order, "end_of_turn": True, "end_of_turn_confidence": 1.0, "words": []}
        turns = [raw | {"turn_is_formatted": False, "transcript": recognised.text}]
        if self._formats:
            turns.append(raw | {"turn_is_formatted": True, "transcript": _formatted(recognised.text)})
        return [SendMessage(json.dumps(turn)) for turn in turns]

    def on_flushed(self) -> Sequence[ServerAction]:
        if not self._is_terminating:
            return ()
        return (
            SendMessage(json.dumps({"type": "Termination", "audio_duration_seconds": round(self._received_s)})),
            Close(),
        )


def _formatted(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _refused(code: int, why: str) -> Sequence[ConnectionAction]:
    return (SendMessage(json.dumps({"type": "Error", "error_code": code, "error": why})), Close(code, why))

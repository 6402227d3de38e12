"""Speechmatics' `/v2`, as `stt_load/dialects/speechmatics.py` describes it, without partial texts.

Stricter than the service has been seen to be: an `EndOfStream` with another number of frames than came in is a protocol
error. An utterance that silence ended closes with punctuation alone before `EndOfUtterance`, as in the SDK's recording.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.wire import child, is_plausible, try_object
from stt_load.errors import ProtocolError
from stt_load.server.server_dialect import (
    Close,
    ConnectionAction,
    DiscardAudio,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)

UNSUPPORTED, QUOTA_EXCEEDED = 1003, 4005
SEGMENT_S = 0.25  # silence after which a text is final, where the client asks for nothing else


class SpeechmaticsServer(ServerDialect):
    path = "/v2"
    endpoint_s = SEGMENT_S

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._has_started = False
        self._ends_utterances = False
        self._frames = 0
        self._closing: str | None = None  # the message that ends the flush under way

    def refuse(self) -> UpgradeRefusal | None:
        if self.request.key is not None and self.request.headers.get("authorization") != f"Bearer {self.request.key}":
            return UpgradeRefusal(401, '{"error": "unauthorized"}')
        return None

    def on_full(self) -> Sequence[ConnectionAction]:
        return _failed("quota_exceeded", "Concurrent Quota Exceeded", QUOTA_EXCEEDED)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, bytes):
            return self._on_audio(message)
        body = try_object(message)
        match body.get("message"):
            case "StartRecognition" if not self._has_started:
                return self._on_start(body)
            case "ForceEndOfUtterance" if self._has_started:
                self._closing = "EndOfUtterance"
                return (Flush(),)
            case "EndOfStream" if self._has_started:
                if body.get("last_seq_no") != self._frames:
                    return _failed("protocol_error", f"{self._frames} frames came in")
                self._closing = "EndOfTranscript"
                return (Flush(),)
        return _failed("protocol_error", "that is not expected here")

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        if not self._ends_utterances or self._closing:
            return (_final(f"{recognised.text} ", recognised),)
        return (_final(f"{recognised.text} ", recognised), _final(". ", recognised), _message("EndOfUtterance"))

    def on_flushed(self) -> Sequence[ServerAction]:
        closing, self._closing = self._closing, None
        if closing is None:
            return ()
        return (_message(closing), Close()) if closing == "EndOfTranscript" else (_message(closing),)

    def _on_start(self, body: dict[str, object]) -> Sequence[ServerAction]:
        try:
            audio, config = child(body, "audio_format"), child(body, "transcription_config")
            trigger_s = child(config, "conversation_config").get("end_of_utterance_silence_trigger")
        except ProtocolError as error:
            return _failed("invalid_config", str(error))
        rate_hz = audio.get("sample_rate")
        if audio.get("encoding") != "pcm_s16le" or not isinstance(rate_hz, int):
            return _failed("invalid_audio_type", "raw pcm_s16le is taken here")
        self._has_started = True
        self.sample_rate_hz = rate_hz
        if isinstance(trigger_s, (int, float)) and is_plausible(trigger_s) and trigger_s > 0:
            self._ends_utterances, self.endpoint_s = True, float(trigger_s)
        # Audio from now on has that rate and is cut after that silence.
        return (DiscardAudio(), _message("RecognitionStarted", id="1"))

    def _on_audio(self, pcm: bytes) -> Sequence[ServerAction]:
        if not self._has_started:
            return _failed("protocol_error", "audio before RecognitionStarted")
        self._frames += 1
        return (FeedAudio(pcm), _message("AudioAdded", seq_no=self._frames))


def _message(message: str, **fields: object) -> SendMessage:
    return SendMessage(json.dumps({"message": message, **fields}))


def _final(text: str, recognised: RecognisedSegment) -> SendMessage:
    lies = {"start_time": round(recognised.start_s, 2), "end_time": round(recognised.end_s, 2)}
    return _message("AddTranscript", format="2.9", metadata={"transcript": text, **lies}, results=[])


def _failed(kind: str, reason: str, close_code: int = UNSUPPORTED) -> Sequence[ConnectionAction]:
    return (_message("Error", type=kind, reason=reason), Close(close_code, kind))

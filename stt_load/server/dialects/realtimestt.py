"""RealtimeSTT's production server, as `stt_load/dialects/realtimestt.py` describes it.

The language is not looked at. Partials come with each segment of eight seconds.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.realtimestt import PROTOCOL, RATE_HZ
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

MOST_SECONDS = 120.0


class RealtimeSttServer(ServerDialect):
    path = "/v1/ws/transcribe"
    endpoint_s = None

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._n_events = 0
        self._expected: int | None = None  # number of the next packet; None outside of a turn
        self._n_packets = self._n_samples = 0
        self._texts: list[str] = []

    def on_open(self) -> Sequence[ServerAction]:
        if self.request.key is not None and self.request.headers.get("authorization") != f"Bearer {self.request.key}":
            return (self._error("unauthorized", "A valid bearer token is required"), Close(1008))
        return (self._event("hello"), self._event("ready", ready=True))

    def on_full(self) -> Sequence[ConnectionAction]:
        return (self._error("session_limit", "Server is at the configured session limit"), Close(1013))

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, bytes):
            return self._on_packet(message)
        command = try_object(message)
        match command.get("type"):
            case "start" if self._expected is None:
                self._expected, self._n_samples, self._texts = 0, 0, []
                return (self._event("started", language=command.get("language"), expectedAudioSequence=0),)
            case "start":
                return (self._error("turn_in_progress", "A turn is already active"),)
            case "finalize" if self._expected is None:
                return (self._error("turn_not_started", "There is no active turn to finalize"),)
            case "finalize":
                self._n_packets, self._expected = self._expected or 0, None
                return (self._event("finalizing"), Flush())
        return (self._error("unknown_command", f"Unknown command: {command.get('type')}"),)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._texts.append(recognised.text)
        is_final = self._expected is None
        return () if is_final else (self._event("partial", kind="realtime", text=" ".join(self._texts)),)

    def on_flushed(self) -> Sequence[ServerAction]:
        text = " ".join(filter(None, self._texts))
        final = self._event("final", text=text, status="completed" if text else "no_speech")
        seconds = self._n_samples / RATE_HZ
        return (
            final,
            self._event(
                "completion", status="completed", audioPackets=self._n_packets, audioDurationSeconds=round(seconds, 6)
            ),
        )

    def _on_packet(self, packet: bytes) -> Sequence[ServerAction]:
        if self._expected is None:
            return (self._error("turn_not_started", "Send start before audio"),)
        try:
            (n_bytes,) = struct.unpack_from("<I", packet)
            metadata, pcm = json.loads(packet[4 : 4 + n_bytes]), packet[4 + n_bytes :]
            told = [metadata[key] for key in ("sampleRate", "channels", "format", "frames", "audioSequence")]
        except (struct.error, ValueError, KeyError, TypeError) as error:
            return (self._error("invalid_audio", f"audio packet: {error!r}"),)
        if not pcm or told[:4] != [RATE_HZ, 1, "pcm_s16le", len(pcm) / 2]:
            return (self._error("invalid_audio", "audio packet metadata does not match its payload"),)
        if told[4] != self._expected:
            return (self._error("audio_sequence_out_of_order", "Audio packets must use contiguous audioSequence"),)
        if self._n_samples + told[3] > MOST_SECONDS * RATE_HZ:
            return (self._error("audio_duration_limit", "The turn audio duration limit was exceeded"),)
        self._expected += 1
        self._n_samples += told[3]
        return (FeedAudio(pcm),)

    def _event(self, kind: str, /, **body: object) -> SendMessage:
        self._n_events += 1
        numbered = {"apiVersion": "v1", "protocolVersion": PROTOCOL, "sessionId": "1", "eventSequence": self._n_events}
        return SendMessage(json.dumps({"type": kind, **body, **numbered}))

    def _error(self, code: str, message: str) -> SendMessage:
        return self._event("error", code=code, message=message, error={"code": code, "message": message})

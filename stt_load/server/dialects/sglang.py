"""SGLang-Omni's realtime transcription, as `stt_load/dialects/sglang.py` describes it.

There are no partial texts of a segment. Without turn detection a segment is cut after 8 s, as for a model whose
longest segment that is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.wire import child
from stt_load.errors import ProtocolError
from stt_load.server.dialects.realtime_events import RealtimeServer, pcm_of
from stt_load.server.server_dialect import (
    DiscardAudio,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    UpgradeRequest,
)

_MAY_BE_SET = {"language", "turn_detection", "input_audio_format"}


class SglangOmniServer(RealtimeServer):
    endpoint_s: float | None = 0.5

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._index = 0
        self._n_segments = 0
        self._texts: list[str] = []
        self._is_done = False
        self._flushes: deque[bool] = deque()  # for each flush under way: whether it is the last one

    def on_open(self) -> Sequence[ServerAction]:
        return (self._session(realtime.CREATED),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[ServerAction]:
        if self._is_done:
            return (self.error(f"{kind} is not accepted after transcription.done.", "input_already_done"),)
        match kind:
            case realtime.UPDATE:
                return self._on_update(body)
            case realtime.APPEND:
                pcm = pcm_of(body)
                return (
                    (self.error("Audio must be base64 PCM16.", "invalid_audio"),) if pcm is None else (FeedAudio(pcm),)
                )
            case realtime.COMMIT | "transcription.done":
                self._is_done = kind == "transcription.done"
                self._flushes.append(self._is_done)
                return (Flush(),)
        return (self.error(f"Unsupported event type: {kind!r}", "unsupported_event"),)

    def on_segment(self) -> Sequence[ServerAction]:
        segment_id, self._n_segments = self._n_segments, self._n_segments + 1
        return (self._message(realtime.COMMITTED, segment_id=segment_id),)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._texts.append(recognised.text)
        return (
            self._message(
                "transcription.segment",
                segment_id=len(self._texts) - 1,
                audio_start_ms=round(1000 * recognised.start_s),
                audio_end_ms=round(1000 * recognised.end_s),
                text=recognised.text,
                is_final=True,
            ),
        )

    def on_flushed(self) -> Sequence[ServerAction]:
        if not self._flushes.popleft():
            return ()
        return (self._message("transcription.completed", text=" ".join(filter(None, self._texts))),)

    def on_failed(self) -> Sequence[ServerAction]:
        self._texts.append("")
        return (self.error("the decoder of this segment died", "transcription_failed", "server_error"),)

    def error(self, message: str, code: str, kind: str = "invalid_request_error") -> SendMessage:
        return self._message("error", error={"type": kind, "code": code, "message": message})

    def _on_update(self, body: Mapping[str, object]) -> Sequence[ServerAction]:
        try:
            session = child(body, "session")
            vad = child(session, "turn_detection")
        except ProtocolError as error:
            return (self.error(str(error), "invalid_event"),)
        if session.keys() - _MAY_BE_SET:
            strange = ", ".join(sorted(session.keys() - _MAY_BE_SET))
            return (self.error(f"Extra inputs are not permitted: {strange}", "invalid_event"),)
        if "turn_detection" in session:
            silence_ms, padding_ms = vad.get("silence_duration_ms", 500), vad.get("prefix_padding_ms", 300)
            if not isinstance(silence_ms, int) or not isinstance(padding_ms, int) or padding_ms + 32 > silence_ms:
                why = "prefix_padding_ms must be at most silence_duration_ms minus 32 ms."
                return (self.error(why, "invalid_turn_detection"),)
            self.endpoint_s = silence_ms / 1000 if vad else None
        return (DiscardAudio(), self._session(realtime.UPDATED))

    def _session(self, kind: str) -> SendMessage:
        vad = None if self.endpoint_s is None else {"type": "server_vad"}
        return self._message(
            kind,
            session={
                "id": "sess_0",
                "object": "realtime.session",
                "intent": "transcription",
                "decode_interval_ms": 2000,
                "turn_detection": vad,
            },
        )

    def _message(self, kind: str, **fields: object) -> SendMessage:
        self._index += 1
        return SendMessage(realtime.event(kind, event_index=self._index, **fields))

"""OpenAI Realtime, transcription session, as `stt_load/dialects/openai_realtime.py` describes it.

The rate and the turn detection are what `session.update` says; before, 24,000 Hz and server_vad. It sends
no `speech_started`, since the recogniser knows of a segment only at its end, and deltas only in a turn of several
segments.
"""

from __future__ import annotations

import math
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

_LEAST_COMMIT_S = 0.1


class OpenAiRealtimeServer(RealtimeServer):
    sample_rate_hz = 24_000
    endpoint_s: float | None = 0.5
    max_segment_s = math.inf

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._n_committed = 0
        self._n_completed = 0
        self._uncommitted_bytes = 0
        self._texts: list[str] = []  # texts of the turn that the client will end

    def on_open(self) -> Sequence[ServerAction]:
        return (self._session(realtime.CREATED),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[ServerAction]:
        match kind:
            case realtime.UPDATE:
                return self._on_update(body)
            case realtime.APPEND:
                return self._on_append(body)
            case realtime.COMMIT:
                return self._on_commit()
        return (self.error(f"Invalid value: {kind!r}.", "invalid_value"),)

    def on_segment(self) -> Sequence[ServerAction]:
        if self.endpoint_s is None:
            return ()
        return (
            SendMessage(realtime.event("input_audio_buffer.speech_stopped", item_id=_item(self._n_committed))),
            *self._commit(),
        )

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        if self.endpoint_s is not None:
            return (self._completed(recognised.text),)
        delta = f" {recognised.text}" if self._texts else recognised.text
        self._texts.append(recognised.text)
        return (
            SendMessage(realtime.event(realtime.DELTA, item_id=_item(self._n_completed), content_index=0, delta=delta)),
        )

    def on_flushed(self) -> Sequence[ServerAction]:
        if self.endpoint_s is not None:
            return ()
        text = " ".join(self._texts)
        self._texts.clear()
        return (self._completed(text),)

    def on_failed(self) -> Sequence[ServerAction]:
        error = {"type": "server_error", "code": "inference_failed", "message": "Transcription failed"}
        return (
            SendMessage(
                realtime.event(realtime.FAILED, item_id=_item(self._n_completed), content_index=0, error=error)
            ),
        )

    def _on_update(self, body: Mapping[str, object]) -> Sequence[ServerAction]:
        try:
            audio = child(child(child(body, "session"), "audio"), "input")
            rate_hz, vad = child(audio, "format").get("rate"), child(audio, "turn_detection")
        except ProtocolError as error:
            return (self.error(str(error), "invalid_type"),)
        if isinstance(rate_hz, int):
            self.sample_rate_hz = rate_hz
        if "turn_detection" in audio:
            silence_ms = vad.get("silence_duration_ms")
            self.endpoint_s = (silence_ms if isinstance(silence_ms, int) else 500) / 1000 if vad else None
            self.max_segment_s = math.inf if vad else 8.0
        return (DiscardAudio(), self._session(realtime.UPDATED))

    def _on_append(self, body: Mapping[str, object]) -> Sequence[ServerAction]:
        pcm = pcm_of(body)
        if pcm is None:
            return (self.error("Invalid 'audio'. Expected base64-encoded audio bytes.", "invalid_value"),)
        self._uncommitted_bytes += len(pcm)
        return (FeedAudio(pcm),)

    def _on_commit(self) -> Sequence[ServerAction]:
        received_s = self._uncommitted_bytes / 2 / self.sample_rate_hz
        if received_s < _LEAST_COMMIT_S:
            why = f"buffer too small. Expected at least 100ms of audio, but buffer only has {1000 * received_s:.2f}ms."
            return (self.error(f"Error committing input audio buffer: {why}", "input_audio_buffer_commit_empty"),)
        return (Flush(),) if self.endpoint_s is not None else (*self._commit(), Flush())

    def _commit(self) -> Sequence[ServerAction]:
        item = _item(self._n_committed)
        self._n_committed += 1
        self._uncommitted_bytes = 0
        return (
            SendMessage(realtime.event(realtime.COMMITTED, item_id=item, previous_item_id=None)),
            SendMessage(
                realtime.event("conversation.item.added", item={"id": item, "type": "message", "role": "user"})
            ),
        )

    def _completed(self, text: str) -> SendMessage:
        item = _item(self._n_completed)
        self._n_completed += 1
        return SendMessage(realtime.event(realtime.COMPLETED, item_id=item, content_index=0, transcript=text))

    def _session(self, kind: str) -> SendMessage:
        vad = (
            None
            if self.endpoint_s is None
            else {"type": "server_vad", "silence_duration_ms": round(1000 * self.endpoint_s)}
        )
        audio = {"format": {"type": "audio/pcm", "rate": self.sample_rate_hz}, "turn_detection": vad}
        return SendMessage(realtime.event(kind, session={"type": "transcription", "audio": {"input": audio}}))


def _item(number: int) -> str:
    return f"item_{number:03d}"

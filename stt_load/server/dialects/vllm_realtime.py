"""vLLM's realtime endpoint, as `stt_load/dialects/vllm_realtime.py` describes it.

A step of the model is a segment here; an empty delta comes before its text, as for steps of vLLM that add none. With
`?model=NAME` only that model is served, otherwise any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.server.dialects.realtime_events import RealtimeServer, pcm_of
from stt_load.server.server_dialect import (
    Abort,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    UpgradeRequest,
)


class VllmRealtimeServer(RealtimeServer):
    endpoint_s: float | None = None

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._has_model = False
        self._is_decoding = False
        self._is_ended = False
        self._waiting: list[bytes] = []  # audio that came before the commit that begins the decoding
        self._text = ""

    def on_open(self) -> Sequence[ServerAction]:
        return (SendMessage(realtime.event(realtime.CREATED, id="sess-0", created=0)),)

    def on_binary(self) -> Sequence[ServerAction]:
        return (Abort(),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[ServerAction]:
        match kind:
            case realtime.UPDATE:
                return self._on_update(body.get("model"))
            case realtime.APPEND:
                return self._on_append(body)
            case realtime.COMMIT:
                return self._on_commit(body.get("final") is True)
        return (self.error(f"Unknown event type: {kind}", "unknown_event"),)

    def on_segment(self) -> Sequence[ServerAction]:
        return (SendMessage(realtime.event("transcription.delta", delta="")),)

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        delta = f" {recognised.text}" if self._text else recognised.text
        self._text += delta
        return (SendMessage(realtime.event("transcription.delta", delta=delta)),)

    def on_flushed(self) -> Sequence[ServerAction]:
        """Sends the whole text; the next utterance begins with a commit of its own."""
        text, self._text = self._text, ""
        self._is_decoding = self._is_ended = False
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return (SendMessage(realtime.event("transcription.done", text=text, usage=usage)),)

    def on_failed(self) -> Sequence[ServerAction]:
        return (self.error("the decoder of this step died", "processing_error"),)

    def error(self, message: str, code: str, kind: str = "") -> SendMessage:
        return SendMessage(realtime.event("error", error=message, code=code))

    def _on_update(self, model: object) -> Sequence[ServerAction]:
        if model is None:
            return (self.error("Missing required field: model", "invalid_event"),)
        if model != self.request.query.get("model", model):
            return (self.error(f"The model `{model}` does not exist.", "model_not_found"),)
        self._has_model = True
        return ()

    def _on_append(self, body: Mapping[str, object]) -> Sequence[ServerAction]:
        pcm = pcm_of(body)
        if not pcm:
            return (self.error("Invalid audio data", "invalid_audio"),)
        if self._is_decoding and not self._is_ended:
            return (FeedAudio(pcm),)
        if not self._is_ended:
            self._waiting.append(pcm)
        return ()

    def _on_commit(self, is_final: bool) -> Sequence[ServerAction]:
        if not self._has_model:
            why = "Model not validated. Make sure to validate the model by sending a session.update event."
            return (self.error(why, "model_not_validated"),)
        if is_final:
            self._is_ended = True
            return (Flush(),) if self._is_decoding else ()
        if self._is_decoding:
            return ()
        self._is_decoding = True
        feeds = [FeedAudio(pcm) for pcm in self._waiting]
        self._waiting.clear()
        return (*feeds, Flush()) if self._is_ended else feeds

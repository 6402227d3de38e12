"""NVIDIA's speech NIM, realtime ASR, as `stt_load/dialects/riva.py` describes it.

Audio that isn't committed is never recognised. The last result, after `input_audio_buffer.done`, holds what is left to
recognise, empty where nothing is; with `?cumulative=1` it holds the whole text, as others have seen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.wire import child
from stt_load.errors import ProtocolError
from stt_load.server.dialects.realtime_events import RealtimeServer, pcm_of
from stt_load.server.server_dialect import (
    Close,
    DiscardAudio,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    UpgradeRequest,
)

_STOP_HISTORY_MS = 800


class RivaServer(RealtimeServer):
    endpoint_s: float | None = _STOP_HISTORY_MS / 1000
    max_segment_s = 30.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._uncommitted = b""
        self._is_done = False
        self._n_before_done = 0  # segments that the endpointer had cut by then
        self._n_cut = 0
        self._texts: list[str] = []
        self._rest: list[str] = []

    def on_open(self) -> Sequence[ServerAction]:
        if self.request.query.get("intent") != "transcription":
            return (Close(1008, "intent=transcription is required"),)
        return (SendMessage(realtime.event("conversation.created", conversation={"id": "conv_0"})),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[ServerAction]:
        if self._is_done:
            return (self.error(f"{kind} after the end of the audio", "invalid_state"),)
        match kind:
            case "transcription_session.update":
                return self._on_update(body)
            case realtime.APPEND:
                pcm = pcm_of(body)
                if pcm is None:
                    return (self.error("audio is no base64 of int16", "invalid_audio"),)
                self._uncommitted += pcm
                return ()
            case realtime.COMMIT:
                pcm, self._uncommitted = self._uncommitted, b""
                return (SendMessage(realtime.event(realtime.COMMITTED, item_id="msg_0")), FeedAudio(pcm))
            case "input_audio_buffer.done":
                self._is_done = True
                self._n_before_done = self._n_cut
                return (Flush(),)
        return (self.error(f"unknown event {kind}", "invalid_event"),)

    def on_segment(self) -> Sequence[ServerAction]:
        self._n_cut += 1
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        """Texts of segments that the endpointer has cut are results; the rest goes into the last one."""
        self._texts.append(recognised.text)
        if self._is_done and len(self._texts) > self._n_before_done:
            self._rest.append(recognised.text)
            return ()
        return (_completed(recognised.text, is_last=False),)

    def on_flushed(self) -> Sequence[ServerAction]:
        is_cumulative = self.request.query.get("cumulative", "0") not in ("0", "")
        return (_completed(" ".join(self._texts if is_cumulative else self._rest), is_last=True),)

    def on_failed(self) -> Sequence[ServerAction]:
        self._texts.append("")
        error = {"type": "server_error", "message": "the decoder of this utterance died"}
        return (SendMessage(realtime.event(realtime.FAILED, item_id="msg_0", error=error)),)

    def _on_update(self, body: Mapping[str, object]) -> Sequence[ServerAction]:
        try:
            session = child(body, "session")
            rate_hz = child(session, "input_audio_params").get("sample_rate_hz")
            stop_ms = child(session, "endpointing_config").get("stop_history")
        except ProtocolError as error:
            return (self.error(str(error), "invalid_session"),)
        if isinstance(rate_hz, int):
            self.sample_rate_hz = rate_hz
        if isinstance(stop_ms, int) and stop_ms > 0:
            self.endpoint_s = stop_ms / 1000
        return (DiscardAudio(), SendMessage(realtime.event("transcription_session.updated", session=session)))


def _completed(text: str, is_last: bool) -> SendMessage:
    return SendMessage(
        realtime.event(realtime.COMPLETED, item_id="msg_0", content_index=0, transcript=text, is_last_result=is_last)
    )

"""NVIDIA's speech NIM, realtime ASR, as `stt_load/dialects/riva.py` describes it.

Audio that isn't committed is never heard. What is left at `input_audio_buffer.done` is the text of the last result,
empty where nothing is; with `?cumulative=1` the last result is all that was said, as others have seen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.wire import child
from stt_load.errors import ProtocolError
from stt_load.server.dialects.realtime_events import RealtimeServer, pcm_of
from stt_load.server.server_dialect import Close, Doing, Flush, Forget, Hear, Recognised, Say, UpgradeRequest

_STOP_HISTORY_MS = 800


class RivaServer(RealtimeServer):
    endpoint_s: float | None = _STOP_HISTORY_MS / 1000
    max_piece_s = 30.0

    def __init__(self, door: UpgradeRequest) -> None:
        super().__init__(door)
        self._uncommitted = b""
        self._is_done = False
        self._n_before_done = 0  # texts that are owed for what the endpointer had cut by then
        self._n_cut = 0
        self._texts: list[str] = []
        self._rest: list[str] = []

    def on_open(self) -> Sequence[Doing]:
        if self.door.query.get("intent") != "transcription":
            return (Close(1008, "intent=transcription is required"),)
        return (Say(realtime.event("conversation.created", conversation={"id": "conv_0"})),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Doing]:
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
                return (Say(realtime.event(realtime.COMMITTED, item_id="msg_0")), Hear(pcm))
            case "input_audio_buffer.done":
                self._is_done = True
                self._n_before_done = self._n_cut
                return (Flush(),)
        return (self.error(f"unknown event {kind}", "invalid_event"),)

    def on_cut(self) -> Sequence[Doing]:
        self._n_cut += 1
        return ()

    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        """Of what the endpointer has cut; the rest goes into the last result."""
        self._texts.append(recognised.text)
        if self._is_done and len(self._texts) > self._n_before_done:
            self._rest.append(recognised.text)
            return ()
        return (_completed(recognised.text, is_last=False),)

    def on_flushed(self) -> Sequence[Doing]:
        is_cumulative = self.door.query.get("cumulative", "0") not in ("0", "")
        return (_completed(" ".join(self._texts if is_cumulative else self._rest), is_last=True),)

    def on_failed(self) -> Sequence[Doing]:
        self._texts.append("")
        error = {"type": "server_error", "message": "the decoder of this utterance died"}
        return (Say(realtime.event(realtime.FAILED, item_id="msg_0", error=error)),)

    def _on_update(self, body: Mapping[str, object]) -> Sequence[Doing]:
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
        return (Forget(), Say(realtime.event("transcription_session.updated", session=session)))


def _completed(text: str, is_last: bool) -> Say:
    return Say(
        realtime.event(realtime.COMPLETED, item_id="msg_0", content_index=0, transcript=text, is_last_result=is_last)
    )

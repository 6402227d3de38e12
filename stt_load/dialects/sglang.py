"""SGLang-Omni's realtime transcription: base64 int16 PCM at 16 kHz in, the text of each segment out.

Server: sgl-project/sglang-omni at 0c940be, `sglang_omni/serve/realtime/transcription_session.py` and `events.py`; its
own client is `benchmarks/realtime_asr/client.py`. `/v1/realtime?intent=transcription`. (SGLang itself, without Omni,
speaks like OpenAI: take the dialect openai-realtime with its `model` and `sample_rate`.)

What a client must know:

- `session.update` may say `language` and `turn_detection` and nothing else: another key refuses all of it.
- The server's VAD cuts segments after 500 ms of silence, unless `turn_detection` is null: then a segment is all that
  lies between two commits. Models with a longest segment cut there too.
- `input_audio_buffer.committed` when a segment is cut, `transcription.segment` with its text: not `is_final` every
  decode interval (2 s) while it grows, `is_final` once at its end, perhaps empty.
- `transcription.done` from the client ends the audio, committed or not; what is left is recognised, and
  `transcription.completed` has the text of all. Anything after it is an error: one utterance a connection.
- `event_index` counts the server's events by ones: a gap means that texts were lost.
- A segment that can't be recognised is an `error` (transcription_failed), and then the rest goes on without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.base import DEFAULTS, Capabilities, Connect, Settings
from stt_load.dialects.events import (
    Event,
    Final,
    Finished,
    Ignored,
    Message,
    Ready,
    Remark,
    SegmentPending,
    ServerError,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import interim_text, partial, text_of, try_object, with_query
from stt_load.errors import ProtocolError
from stt_load.option_values import one_of, or_none, parse_milliseconds

# Of the server's VAD, unless it is told otherwise.
_SILENCE_MS = 500
_PADDING_MS = 300
_WINDOW_MS = 32


class SglangOmni(realtime.RealtimeDialect):
    """One connection to an SGLang-Omni that serves a transcription model."""

    options = (
        DialectOption("language", "", "of the speech, as en", or_none()),
        DialectOption(
            "turn_detection",
            "server_vad",
            "server_vad or none: who cuts segments where the client ends the utterance",
            one_of("server_vad", "none"),
        ),
        DialectOption("silence_ms", "", "of server_vad; its own default is 500", or_none(parse_milliseconds)),
    )
    unconfirmed = (
        "read from its source, never run: it takes a GPU",
        "the longest segment depends on the model: 30 s are assumed",
        "credentials: the realtime endpoint has none of its own; a gateway's key travels as a bearer token",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        silence_s = (self.option["silence_ms"] or _SILENCE_MS) / 1000
        self.capabilities = Capabilities(
            encoding="base64 int16",
            has_ready=True,
            ends=("client", "server"),
            counts_segments=True,
            min_endpoint_s=0.8 * silence_s,
            max_segment_s=30.0,
            min_trailing_silence_s=silence_s + 0.1,
            trailing_silence_s=max(1.0, silence_s + 0.5),
            turn_events=() if self._turn_detection() is None else (SegmentPending,),
        )
        self._last_index: int | None = None

    def connect(self, url: str) -> Connect:
        session: dict[str, object] = {"turn_detection": self._turn_detection()}
        if self.option["language"] is not None:
            session["language"] = self.option["language"]
        return Connect(
            with_query(url, {"intent": "transcription"}),
            headers=self._credentials,
            first_messages=(realtime.event(realtime.UPDATE, session=session),),
        )

    def _turn_detection(self) -> dict[str, object] | None:
        if self.settings.end == "client" and self.option["turn_detection"] == "none":
            return None
        silence_ms = self.option["silence_ms"]
        if silence_ms is None:
            return {"type": "server_vad"}
        # The padding before a segment has to fit into the silence, less the window that the VAD is late.
        padding_ms = max(0, min(_PADDING_MS, silence_ms - _WINDOW_MS))
        return {"type": "server_vad", "silence_duration_ms": silence_ms, "prefix_padding_ms": padding_ms}

    def finalise(self) -> Sequence[Message]:
        return (realtime.event("transcription.done"),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Event]:
        if not self._is_next(body.get("event_index")):
            return (Ignored(f"{kind}, said before"),)
        match kind:
            case realtime.UPDATED:
                self._is_configured = True
                return (Ready(),)
            case realtime.COMMITTED:
                return (SegmentPending(),)
            case "transcription.segment":
                if body.get("is_final") is True:
                    return (Final(text_of(body, "text")),)
                return partial(interim_text(body, "text"))
            case "transcription.completed":
                text_of(body, "text")
                return (Finished(),)
        return ()

    def _on_error(self, body: Mapping[str, object]) -> ServerError | Remark:
        self._is_next(body.get("event_index"))
        return super()._on_error(body)

    def _is_next(self, index: object) -> bool:
        """False for an event that came before. Raises ProtocolError where some are missing between the last and it."""
        if not isinstance(index, int):
            return True
        last, self._last_index = self._last_index, index
        if last is None or index == last + 1:
            return True
        if index > last:
            raise ProtocolError(f"event_index {index} after {last}: events were lost")
        self._last_index = last
        return False

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        session = body.get("session")
        if isinstance(session, dict) and session.get("intent") == "transcription":
            return True
        return body.keys() >= {"type", "event_index"}

"""OpenAI Realtime, transcription session: base64 int16 PCM at 24 kHz in, one text for each committed item out.

Server: OpenAI's API as of its GA events (the beta's ended in May 2026), and servers that speak like it: SGLang's
`/v1/realtime` (sgl-project/sglang at 008b79d, `srt/entrypoints/openai/realtime/session.py`). Client read:
pipecat-ai/pipecat at 002d791, `services/openai/stt.py`. Port 443, `wss://…/v1/realtime?intent=transcription`.

What a client must know:

- 24,000 Hz, not 16,000: nothing complains about audio of another rate, it is heard too fast or too slow.
- `session.update` sets the session, `session.updated` is its answer: audio before it may be refused.
- With `turn_detection` null the client ends the turn by `input_audio_buffer.commit`; a commit of less than 100 ms of
  audio is an error. With `server_vad` the server commits by itself after `silence_duration_ms`.
- Every commit is an item: `input_audio_buffer.committed` names it, `…transcription.completed` tells its text. Items
  are recognised beside each other: a later one may be told first, `item_id` says which is which.
- Deltas come before or after the commit, by model. The server never closes.
- Most errors are about one event of the client and leave the session as it was ("most errors are recoverable and the
  session will stay open"); `event_id` names the event, where it had one. An utterance ends with an error of the server
  itself (`server_error`, behind which SGLang closes), one about its commit, and the end of the session.
- SGLang: the model must be the one that is served (`model=` sends none), 16,000, 24,000 or 48,000 Hz, no VAD.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Settings
from stt_load.dialects.events import Event, Final, Ignored, Message, Ready, SegmentPending
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import text_of, try_object, with_query
from stt_load.option_values import one_of, or_none, parse_milliseconds, parse_rate_hz

_END_ID = "the end of the utterance"  # of our commit: an error about it names it
_CODES_OF_COMMIT = ("input_audio_buffer_commit_empty", "invalid_state")  # OpenAI's, SGLang's
_ENDS_OF_SESSION = ("session_expired",)


class OpenAiRealtime(realtime.RealtimeDialect):
    """One connection. Items are kept in the order in which the server committed them."""

    options = (
        DialectOption("model", "gpt-4o-transcribe", "transcription model; nothing for the server's own", or_none()),
        DialectOption("language", "", "of the speech, as en", or_none()),
        DialectOption("prompt", "", "words to expect; some models refuse one", or_none()),
        DialectOption("sample_rate", "24000", "Hz; OpenAI takes 24000 only", parse_rate_hz),
        DialectOption("noise_reduction", "", "near_field or far_field", or_none(one_of("near_field", "far_field"))),
        DialectOption("silence_ms", "500", "of server_vad, where the server ends the utterance", parse_milliseconds),
    )
    unconfirmed = (
        "the events are read from OpenAI's documents and from clients; SGLang's from its source",
        "an error that names no event of ours and no failure of the server is got over: told if the utterance fails",
        "an error before session.updated counts as refused parameters, unless its code says key or quota",
        "server_vad never cuts before four fifths of silence_ms have passed",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        silence_s = self.option["silence_ms"] / 1000
        self.capabilities = Capabilities(
            sample_rate_hz=self.option["sample_rate"],
            encoding="base64 int16",
            has_ready=True,
            ends=("client", "server"),
            counts_segments=True,
            min_endpoint_s=0.8 * silence_s,
            min_trailing_silence_s=silence_s + 0.1,
            trailing_silence_s=max(1.0, silence_s + 0.5),
            many_utterances=True,
            turn_events=(SegmentPending, Final) if settings.end == "server" else (),
        )
        self._is_over = False  # the client has ended the turn
        self._places: dict[str, int] = {}  # of committed items
        self._told: list[str] = []  # the item of each text, in order of arrival

    def connect(self, url: str) -> Connect:
        return Connect(
            with_query(url, {"intent": "transcription"}),
            headers=self._credentials,
            first_messages=(
                realtime.event(realtime.UPDATE, session={"type": "transcription", "audio": {"input": self._input()}}),
            ),
        )

    def _input(self) -> dict[str, object]:
        asked = self.option
        vad = {"type": "server_vad", "silence_duration_ms": asked["silence_ms"]}
        audio: dict[str, object] = {
            "format": {"type": "audio/pcm", "rate": asked["sample_rate"]},
            "transcription": {key: asked[key] for key in ("model", "language", "prompt") if asked[key] is not None},
            "turn_detection": vad if self.settings.end == "server" else None,
        }
        if asked["noise_reduction"] is not None:
            audio["noise_reduction"] = {"type": asked["noise_reduction"]}
        return audio

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._is_over = False
        self._places.clear()
        self._told.clear()
        return ()

    def finalise(self) -> Sequence[Message]:
        self._is_over = True
        return (realtime.event(realtime.COMMIT, event_id=_END_ID),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Event]:
        match kind:
            case realtime.UPDATED:
                self._is_configured = True
                return (Ready(),)
            case realtime.COMMITTED:
                self._places.setdefault(str(body.get("item_id")), len(self._places))
                return (SegmentPending(),)
            case realtime.DELTA:
                return realtime.partial_of(body)
            case realtime.COMPLETED:
                return self._on_completed(body)
            case realtime.FAILED:
                return (realtime.failure_of(body),)
        return ()

    def _gets_over(self, error: Mapping[str, object]) -> bool:
        if error.get("type") == "server_error" or error.get("code") in _ENDS_OF_SESSION:
            return False
        is_about_end = error.get("event_id") == _END_ID or error.get("code") in _CODES_OF_COMMIT
        return not (self._is_over and is_about_end)

    def _on_completed(self, body: Mapping[str, object]) -> Sequence[Event]:
        """The text of an item: the last one, if the client has ended the turn and nothing was committed after it."""
        text = text_of(body, "transcript")
        item = str(body.get("item_id", f"unnamed {len(self._told)}"))
        if item in self._told:
            return (Ignored(f"{item} was told before"),)
        self._told.append(item)
        is_latest = self._places.get(item, 0) >= len(self._places) - 1
        return (Final(text, is_last=self._is_over and is_latest),)

    def join(self, finals: Sequence[str]) -> str:
        """The texts in the order of the commits, where all commits were told since the utterance began."""
        if len(finals) != len(self._told):
            return super().join(finals)
        told = sorted(zip(self._told, finals, strict=True), key=lambda pair: self._places.get(pair[0], math.inf))
        return super().join([text for _, text in told])

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        kind, session = body.get("type"), body.get("session")
        if kind in (realtime.CREATED, realtime.UPDATED):
            return isinstance(session, dict) and "audio" in session and "intent" not in session
        if kind in ("conversation.item.added", "conversation.item.created"):
            return isinstance(body.get("item"), dict)
        return kind == realtime.COMPLETED and "item_id" in body and "is_last_result" not in body

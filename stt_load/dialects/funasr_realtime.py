"""FunASR's realtime_ws: commands in plain words and binary int16 PCM in, locked sentences and a partial out.

Server: modelscope/FunASR at 3c58cb5 (2026-08-21), `funasr/bin/realtime_ws.py` (v1.4; `serve_realtime_ws.py` is the
same); its clients `client_python.py` and `realtime_ws_benchmark.py`. Plain websocket on port 10095, any path, no
credentials. Spoken to with its models replaced, in both endpoint modes.

What a client must know:

- `START` before any audio: what comes earlier is thrown away. It forgets the session, not the language or hotwords.
- `STOP` is answered by a result with `is_final` and then `{"event":"stopped"}`; without any audio by that alone. Audio
  after it is thrown away until the next `START`. `COMMIT` ends an utterance and leaves the session open, only where the
  server was started with `--endpoint-mode client`; elsewhere it is an error.
- A result has all sentences that are locked, and the partial of the one that isn't. Only `is_final` closes a stream: a
  partial that happens to hold all words isn't taken for the transcript.
- Its VAD locks a sentence after 2 s of silence; less the longer it hears, 0.8 s up to 30 s and 0.1 s in the end.
  Results come only as audio does, one for each 0.96 s of it: silence has to flow for 3 s where the server is to
  decide.
- `duration_ms` is the audio it has consumed.
- One lock for the model and all its callers; under overload the sign is a keepalive timeout (1011). A failed decoding
  is only logged, and its sentence is missing.
- An odd number of bytes ends the connection in good order. Unknown commands are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Dialect, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    EndOfTurn,
    Event,
    Finished,
    Ignored,
    Message,
    Partial,
    ServerError,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import children, interim_text, parse_object, text_of, try_object, unknown
from stt_load.errors import Refusal
from stt_load.option_values import one_of, or_none

RESULT = frozenset({"sentences", "partial", "partial_start_ms", "duration_ms", "is_final"})

EVENTS = ("started", "stopped", "language_set", "hotwords_set")


class FunAsrRealtime(Dialect):
    """One connection to realtime_ws. What comes before `started` belongs to the utterance before."""

    options = (
        DialectOption("language", "", "told by LANGUAGE:, like English or 中文", or_none()),
        DialectOption("hotwords", "", "told by HOTWORDS:, with commas between them", or_none()),
        DialectOption(
            "end_message",
            "STOP",
            "STOP, or COMMIT where the server runs with --endpoint-mode client",
            one_of("STOP", "COMMIT"),
        ),
    )
    unconfirmed = ("the silence that locks a sentence is what the code asks of fsmn-vad, never heard from the model",)
    capabilities = Capabilities(
        ends=("client", "server"),
        min_endpoint_s=0.8,
        max_segment_s=30.0,
        min_trailing_silence_s=3.0,
        trailing_silence_s=3.5,
        many_utterances=True,
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        if settings.end == "server":
            self.capabilities = structs.replace(self.capabilities, turn_events=(EndOfTurn,))
        self._is_started = False
        self._n_locked = 0

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._is_started = False
        self._n_locked = 0
        told = {"LANGUAGE": self.option["language"], "HOTWORDS": self.option["hotwords"]}
        return (*(f"{command}:{value}" for command, value in told.items() if value is not None), "START")

    def finalise(self) -> Sequence[Message]:
        return (self.option["end_message"],)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        if body.get("event") == "error":
            return (ServerError(str(body.get("error")), Refusal.PARAMETERS),)
        if body.get("event") == "started":
            self._is_started = True
            return (Ignored("the session is open"),)
        if not RESULT.isdisjoint(body) and self._is_started:
            return self._on_result(body)
        if body.get("event") == "stopped" and self._is_started:
            return (Finished(),)
        if "event" in body:
            return (Ignored(f"the server says {body['event']}"),)
        return (unknown(body),)

    def _on_result(self, body: dict[str, object]) -> Sequence[Event]:
        """The last result is judged. One before it with a sentence that can't be read tells no locked text."""
        if body.get("is_final") is True:
            sentences = [text_of(sentence, "text") for sentence in children(body, "sentences")]
            return (CumulativeTranscript(" ".join(sentences), is_last=True),)
        given = body.get("sentences")
        sentences = [interim_text(sentence, "text") for sentence in given] if isinstance(given, list) else []
        if not all(sentences):
            sentences = []
        locked = " ".join(sentences)
        events: list[Event] = [CumulativeTranscript(locked)] if sentences else []
        if len(sentences) > self._n_locked and self.settings.end == "server":
            events.append(EndOfTurn())
        self._n_locked = max(self._n_locked, len(sentences))
        if text := interim_text(body, "partial"):
            events.append(Partial(text))
        return events or (Ignored("nothing heard yet"),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        return body.get("event") in EVENTS or body.keys() == {"event", "error"} or body.keys() == RESULT

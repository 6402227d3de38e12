"""AssemblyAI streaming v3: binary int16 PCM in, a growing `Turn` out, whose end may be told twice.

Server: `/v3/ws` as assemblyai-python-sdk at 530eca5 (2026-08-14), `assemblyai/streaming/v3/`, and the pages on
streaming of assemblyai.com/docs tell it. Everything is asked for in the query; the key is the whole `Authorization`
header.

What a client must know:

- With `format_turns` two messages say `end_of_turn`: the words, then the same words formatted. The first completes the
  transcript and stops the EOS clock; the turn is over, and `settled_latency_s` taken, with the second. Models that
  format as they go tell each end once.
- A turn ends after `min_turn_silence` (400 ms) where the model is confident, after `max_turn_silence` (1,280 ms)
  where it is not; each model has defaults of its own.
- A message must hold 50 to 1,000 ms of audio, or the session ends with 3007.
- `Terminate` is answered by the last Turn, `Termination` and close 1000. `ForceEndpoint` ends the turn and keeps the
  connection. An `Error` frame with the close code comes before every close that is a failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from stt_load.dialects.base import DEFAULTS, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    EndOfTurn,
    Event,
    Final,
    Finished,
    Gauge,
    Ignored,
    Message,
    Ready,
    ServerError,
    ServerWord,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import (
    interim_text,
    last_of,
    numbers,
    parse_object,
    partial,
    shown,
    text_of,
    timed_words,
    try_object,
    with_query,
)
from stt_load.errors import ProtocolError, Refusal
from stt_load.option_values import (
    one_of,
    or_none,
    parse_milliseconds,
    parse_number,
    parse_phrases,
    parse_rate_hz,
    parse_yes_or_no,
)

END_MESSAGES = {"terminate": "Terminate", "force": "ForceEndpoint"}
VERSION = "2025-05-12"  # of the API, as the SDK tells it

# `RealTimeErrorCodes` of the SDK's models.py, and RFC 6455's 1008; other codes are failures.
REFUSALS = {
    1008: Refusal.AUTH,
    1013: Refusal.CAPACITY,
    3006: Refusal.PARAMETERS,
    3009: Refusal.CAPACITY,
    4000: Refusal.PARAMETERS,
    4001: Refusal.AUTH,
    4002: Refusal.AUTH,
    4003: Refusal.AUTH,
    4102: Refusal.CAPACITY,
}

WITHOUT_EFFECT = ("SpeechStarted", "Warning", "LLMGatewayResponse", "SpeakerRevision")


class AssemblyAI(Dialect):
    """One streaming session."""

    takes_key = True
    codecs = MappingProxyType({"mulaw8k": "pcm_mulaw"})
    options = (
        DialectOption("model", "universal-streaming-english", "which model: speech_model of the query"),
        DialectOption("sample_rate", "16000", "of what is sent, Hz", parse_rate_hz),
        DialectOption("format_turns", "true", "tell each end of turn once more, formatted", parse_yes_or_no),
        DialectOption("end_of_turn_confidence_threshold", "", "0 to 1; the server's own is 0.4", or_none(parse_number)),
        DialectOption("min_turn_silence", "", "ms; the default model's own is 400", or_none(parse_milliseconds)),
        DialectOption("max_turn_silence", "", "ms; the default model's own is 1280", or_none(parse_milliseconds)),
        DialectOption("keyterms", "", "words to listen for, with commas between them", parse_phrases),
        DialectOption("heartbeat", "false", "the server tells how much audio it has", parse_yes_or_no),
        DialectOption("finish", "terminate", "how the client ends: terminate or force", one_of(*END_MESSAGES)),
    )
    unconfirmed = (
        "everything here is told by the SDK and the documents; no server was spoken to",
        "that ForceEndpoint with nothing left to say is not answered",
        "how much silence ends a turn with another model than the default one",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        min_silence_s = (self.option["min_turn_silence"] or 400) / 1_000
        max_silence_s = (self.option["max_turn_silence"] or 1_280) / 1_000
        terminates = self.option["finish"] == "terminate"
        self.capabilities = Capabilities(
            sample_rate_hz=self.rate_hz(self.option["sample_rate"]),
            frame_ms=(50, 1_000),
            has_ready=True,
            ends=("server", "client"),
            min_endpoint_s=min_silence_s,
            quiet_s=3.0,
            min_trailing_silence_s=min_silence_s,
            trailing_silence_s=max(min_silence_s, max_silence_s) + 0.5,
            answers_end=terminates,
            many_utterances=settings.end == "server" or not terminates,
            turn_events=(Final,),  # the first word of an end: a formatted text comes later
        )
        self._told = -1  # order of the last turn whose words were told as final

    def connect(self, url: str) -> Connect:
        option = self.option
        asked: dict[str, object] = {
            "sample_rate": self.capabilities.sample_rate_hz,
            "encoding": self.encoding("pcm_s16le"),
            "speech_model": option["model"],
            "format_turns": option["format_turns"],
            "end_of_turn_confidence_threshold": option["end_of_turn_confidence_threshold"],
            "min_turn_silence": option["min_turn_silence"],
            "max_turn_silence": option["max_turn_silence"],
            "keyterms_prompt": json.dumps(option["keyterms"]) if option["keyterms"] else None,
            "session_heartbeat": option["heartbeat"] or None,
        }
        headers = {"AssemblyAI-Version": VERSION}
        if self.settings.api_key:
            headers["Authorization"] = self.settings.api_key
        return Connect(with_query(url, asked), headers=headers)

    def finalise(self) -> Sequence[Message]:
        return (json.dumps({"type": END_MESSAGES[self.option["finish"]]}),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("type"):
            case "Turn":
                return self._on_turn(body)
            case "Begin":
                return (Ready(),)
            case "Termination":
                return (Finished(),)
            case "Heartbeat":
                return (Gauge({name: ms for name, ms in numbers(body).items() if name.endswith("_ms")}),)
            case str(kind) if kind in WITHOUT_EFFECT:
                return (Ignored(f"{kind}: {body.get('warning', '')}".rstrip(": ")),)
            case "Error" | None if "error" in body:
                code = body.get("error_code")
                return (ServerError(str(body["error"]), REFUSALS.get(code) if isinstance(code, int) else None),)
        return (Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}"),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        own_key = {
            "Begin": "expires_at",
            "Turn": "turn_order",
            "Heartbeat": "total_audio_received_ms",
            "Termination": "audio_duration_seconds",
            "Error": "error_code",
        }.get(str(body.get("type")))
        return own_key is not None and own_key in body

    def _on_turn(self, body: Mapping[str, object]) -> Sequence[Event]:
        if body.get("end_of_turn") is not True:
            words = body.get("words")
            heard = [interim_text(word, "text") for word in words] if isinstance(words, list) else []
            text = interim_text(body, "transcript") or " ".join(filter(None, heard))
            return partial(text, _words(last_of(words)))
        order = body.get("turn_order")
        if not isinstance(order, int):
            raise ProtocolError(f"a Turn without turn_order: {shown(body)}")
        text = text_of(body, "transcript")
        is_over = body.get("turn_is_formatted") is True or not self.option["format_turns"]
        events: list[Event] = []
        if order > self._told:
            self._told = order
            events.append(Final(text, words=_words(body.get("words"))))
        if is_over:
            events.append(EndOfTurn())
        return events or (Ignored("the end of a turn, told again"),)


def _words(words: object) -> Sequence[ServerWord]:
    """Words with their times, which are milliseconds of the session."""
    return timed_words(words, "text", "start", "end", per_s=1_000)

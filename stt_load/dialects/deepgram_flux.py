"""Deepgram Flux: binary int16 PCM in, the state of the current turn out.

Server: API v2 `/v2/listen` as developers.deepgram.com/docs/flux tells it (read 2026-11-29) and deepgram-sdk 7.17.0,
`deepgram/listen/v2/types`, types it. Everything is asked for in the query; the key travels as `Authorization: Token`.

What a client must know:

- Every `TurnInfo` has the whole text of its turn, which may still change until `EndOfTurn`. An `Update` comes about
  four times a second, whatever is said.
- The model ends turns, where it is sure enough (`eot_threshold`, 0.7), or after `eot_timeout_ms` (5,000) of silence.
  With `eager_eot_threshold` it tells before that when it may be over: `EagerEndOfTurn`, which `TurnResumed` takes back.
- `ForceEndTurn` ends the turn by an `EndOfTurn` with the trigger `manual`, "on the audio transcribed so far", and keeps
  the connection: words that the model has not come to yet are missing from that turn. Outside of a turn it is ignored.
  `eot_threshold=1.0` leaves all ends to it.
- `CloseStream` ends no turn: what was heard is told by a last `Update`, and the connection is closed without a code.
- Messages of 80 ms are "strongly recommended": `--frame-ms 80`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Final,
    Ignored,
    Message,
    Remark,
    ServerError,
    ServerWord,
    TurnResumed,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import (
    interim_text,
    last_of,
    parse_object,
    partial,
    shown,
    text_of,
    timed_words,
    try_object,
    unknown,
    with_query,
)
from stt_load.errors import ProtocolError
from stt_load.option_values import one_of, or_none, parse_milliseconds, parse_number, parse_phrases, parse_rate_hz

END_MESSAGES = {"force": "ForceEndTurn", "close": "CloseStream"}
NO_NATIVE_ENDS = 1.0  # as eot_threshold
OWN_TIMEOUT_MS = 5_000

# What the end of a turn is to the client, by the event of a TurnInfo; the others change nothing but the text.
TURN_EVENTS: Mapping[str, Event] = {
    "EagerEndOfTurn": EagerEndOfTurn(),
    "TurnResumed": TurnResumed(),
    "EndOfTurn": EndOfTurn(),
}
WITHOUT_EFFECT = ("Connected", "ConfigureSuccess", "ConfigureFailure")
_or_own, _ms_or_own = or_none(parse_number), or_none(parse_milliseconds)


class DeepgramFlux(Dialect):
    """One connection to Flux."""

    takes_key = True
    codecs = MappingProxyType({"mulaw8k": "mulaw", "alaw8k": "alaw"})
    options = (
        DialectOption("model", "flux-general-en", "which model"),
        DialectOption("sample_rate", "16000", "of what is sent, Hz", parse_rate_hz),
        DialectOption("eot_threshold", "", "how sure an end is, 0.5 to 1.0; 0.7 by default", _or_own),
        DialectOption("eager_eot_threshold", "", "of eager ends, 0.3 to 0.9; none by default", _or_own),
        DialectOption("eot_timeout_ms", "", "ms of silence that end it anyway; 5000 by default", _ms_or_own),
        DialectOption("keyterms", "", "words to listen for, with commas between them", parse_phrases),
        DialectOption("language_hints", "", "for flux-general-multi, with commas between them", parse_phrases),
        DialectOption("finish", "force", "how the client ends: force (ForceEndTurn) or close", one_of(*END_MESSAGES)),
    )
    unconfirmed = (
        "everything here is told by documents and the SDK's types; no server was spoken to",
        "that times of words, where there are any, count from the beginning of the connection",
        "that eot_timeout_ms is measured in audio: so much silence is sent after a clip",
        "that audio can be sent before Connected has come",
        "how much of the audio before a ForceEndTurn is transcribed by then: words that it cuts off count as missing",
        "what an Error that is about the request looks like after an upgrade that went well",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        by_client = settings.end == "client"
        self._closes = by_client and self.option["finish"] == "close"
        self._threshold = self.option["eot_threshold"] or (NO_NATIVE_ENDS if by_client and not self._closes else None)
        is_manual = by_client and self._threshold == NO_NATIVE_ENDS
        is_eager = self.option["eager_eot_threshold"] is not None
        timeout_s = (self.option["eot_timeout_ms"] or OWN_TIMEOUT_MS) / 1_000
        self.capabilities = Capabilities(
            sample_rate_hz=self.rate_hz(self.option["sample_rate"]),
            ends=("server", "client"),
            min_endpoint_s=timeout_s if is_manual else 0.2,
            quiet_s=3.0,
            min_trailing_silence_s=0.2,
            trailing_silence_s=timeout_s + 0.5,
            answers_end=self._closes or is_manual,
            unanswered_end="a ForceEndTurn outside of a turn is ignored",
            many_utterances=not self._closes,
            turn_events=() if is_manual else (EndOfTurn, *((EagerEndOfTurn, TurnResumed) if is_eager else ())),
        )
        self._turns: list[str] = []  # the texts of those that have ended, in this utterance
        self._last_turn = -1  # index of the last one that has ended, on this connection

    def connect(self, url: str) -> Connect:
        asked: dict[str, object] = {
            "model": self.option["model"],
            "encoding": self.encoding("linear16"),
            "sample_rate": self.capabilities.sample_rate_hz,
            "eot_threshold": self._threshold,
            "eager_eot_threshold": self.option["eager_eot_threshold"],
            "eot_timeout_ms": self.option["eot_timeout_ms"],
            "keyterm": self.option["keyterms"],
            "language_hint": self.option["language_hints"],
        }
        key = self.settings.api_key
        return Connect(with_query(url, asked), headers={"Authorization": f"Token {key}"} if key else {})

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._turns.clear()
        return ()

    def finalise(self) -> Sequence[Message]:
        return (json.dumps({"type": END_MESSAGES[self.option["finish"]]}),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("type"):
            case "TurnInfo":
                return self._on_turn_info(body)
            case "Error":
                return (ServerError(_described(body)),)
            case "Warning":
                return (Remark(_described(body)),)
            case str(kind) if kind in WITHOUT_EFFECT:
                return (Ignored(kind),)
        return (unknown(body),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        return body.get("type") == "TurnInfo" or (
            body.get("type") in ("Connected", "Error", "Warning") and "sequence_id" in body
        )

    def _on_turn_info(self, body: Mapping[str, object]) -> Sequence[Event]:
        turn_event = TURN_EVENTS.get(str(body.get("event")))
        if isinstance(turn_event, EndOfTurn):
            return self._on_turn_end(body, turn_event)
        text = interim_text(body, "transcript")
        told = self._all_text(text) if self._closes and text else partial(text, _words(last_of(body.get("words"))))
        return (*told, turn_event) if turn_event else told

    def _on_turn_end(self, body: Mapping[str, object], turn_end: Event) -> Sequence[Event]:
        index = body.get("turn_index")
        if not isinstance(index, int):
            raise ProtocolError(f"the end of a turn without turn_index: {shown(body)}")
        if index <= self._last_turn:
            return (Ignored("the end of a turn, told again"),)
        text = text_of(body, "transcript")
        self._last_turn = index
        if not self._closes:
            is_last = self.settings.end == "client" and body.get("trigger") == "manual"
            return (Final(text, is_last, words=_words(body.get("words"))), turn_end)
        told = self._all_text(text)
        self._turns.append(text)
        return (*told, turn_end)

    def _all_text(self, text: str) -> tuple[Event, ...]:
        """All text so far, where the last of it may still change when the connection is closed. `text`: of this
        turn."""
        return (CumulativeTranscript(self.join([*self._turns, text])),)


def _words(words: object) -> Sequence[ServerWord]:
    """Times count from the beginning of the connection. The SDK's types leave it open whether there are any."""
    return timed_words(words, "word", "start", "end")


def _described(body: Mapping[str, object]) -> str:
    """What an error or a warning says."""
    return f"{body.get('description')} ({body.get('code')})"

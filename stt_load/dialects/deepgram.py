"""Deepgram live transcription: binary int16 PCM in, `Results` out.

Server: API v1 `/v1/listen` as developers.deepgram.com tells it and deepgram-python-sdk 7.6.0 at 7da415d (2026-07-22),
`src/deepgram/listen/v1/types`, types it. The same protocol: WhisperLiveKit at ed571b6 (2026-08-16),
`whisperlivekit/deepgram_compat.py`. Everything is asked for in the query; the key travels as `Authorization: Token`.
Flux (`/v2/listen`) speaks otherwise: `deepgram_flux.py`.

What a client must know:

- Results without `is_final` are replaced by the next; those with it add up. Each repeats nothing.
- `speech_final`: the endpointer heard `endpointing` ms of silence. The server's own default is 10 ms, which ends turns
  in mid-sentence. `UtteranceEnd`: no new word for `utterance_end_ms`; it only counts where no `speech_final` came
  since the last word (Deepgram's advice).
- `CloseStream` is always answered: last Results, `Metadata`, close. `Finalize` keeps the connection; its answer has
  `from_finalize`, and "is not guaranteed if there is no significant amount of audio data to process".
- WhisperLiveKit: 16 kHz only, `Metadata` at the beginning too (with duration 0), `Finalize` and an empty frame are
  an Error and close 4400, and so are parameters that it doesn't take, after an upgrade that went well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Finished, Ignored, Message, ServerError, ServerWord
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import (
    child,
    children,
    interim_text,
    is_plausible,
    last_of,
    parse_object,
    partial,
    shown,
    text_of,
    timed_words,
    try_object,
    with_query,
)
from stt_load.errors import ProtocolError, Refusal
from stt_load.option_values import one_of, or_none, parse_milliseconds, parse_phrases, parse_rate_hz, parse_yes_or_no

END_MESSAGES = {"close": "CloseStream", "finalize": "Finalize"}


def parse_milliseconds_or_false(text: str) -> int | None:
    """Milliseconds, or `false` for a server without an endpointer, which is None."""
    if text == "false":
        return None
    try:
        return parse_milliseconds(text)
    except ValueError as error:
        raise ValueError(f"{error}, or false") from None


class Deepgram(Dialect):
    """One connection to Deepgram or to a server that speaks like it."""

    takes_key = True
    codecs = MappingProxyType({"mulaw8k": "mulaw", "alaw8k": "alaw"})
    options = (
        DialectOption("model", "nova-3", "which model"),
        DialectOption("language", "en", "what is spoken"),
        DialectOption("sample_rate", "16000", "of what is sent, Hz", parse_rate_hz),
        DialectOption("endpointing", "300", "ms of silence that end a turn, or false", parse_milliseconds_or_false),
        DialectOption("utterance_end_ms", "", "ms without a new word that end a turn too", or_none(parse_milliseconds)),
        DialectOption("interim_results", "true", "texts that may still change", parse_yes_or_no),
        DialectOption("smart_format", "false", "numbers, dates and punctuation as people write them", parse_yes_or_no),
        DialectOption("keyterms", "", "words to listen for, with commas between them", parse_phrases),
        DialectOption("finish", "close", "how the client ends: close or finalize", one_of(*END_MESSAGES)),
    )
    unconfirmed = (
        "everything here is told by documents, the SDK's types and WhisperLiveKit's code; no server was spoken to",
        "what an Error message of Deepgram's own looks like: description, message and reason are looked for",
        "close 1008 is taken for a refusal; Deepgram also uses it for audio that it can't decode",
        "that CloseStream is answered by Metadata with a duration above 0 where any audio was sent",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        ends_ms = [ms for ms in (self.option["endpointing"], self.option["utterance_end_ms"]) if ms is not None]
        closes = self.option["finish"] == "close"
        silence_s = max(ends_ms, default=0) / 1_000
        self.capabilities = Capabilities(
            sample_rate_hz=self.rate_hz(self.option["sample_rate"]),
            ends=("server", "client"),
            min_endpoint_s=min(ends_ms, default=math.inf) / 1_000,
            quiet_s=3.0,
            min_trailing_silence_s=min(ends_ms, default=0) / 1_000,
            trailing_silence_s=max(1.0, silence_s + 0.5),
            answers_end=closes,
            many_utterances=settings.end == "server" or not closes,
            turn_events=(EndOfTurn,) if ends_ms else (),
        )
        self._is_welcome = False
        self._is_turn_over = False  # with nothing new since

    def connect(self, url: str) -> Connect:
        told = {name: value for name, value in self.option.items() if name not in ("keyterms", "finish", "endpointing")}
        asked: dict[str, object] = {
            "encoding": self.encoding("linear16"),
            "channels": 1,
            **told,
            "sample_rate": self.capabilities.sample_rate_hz,
            "endpointing": "false" if self.option["endpointing"] is None else self.option["endpointing"],
            "keyterm": self.option["keyterms"],
        }
        key = self.settings.api_key
        return Connect(with_query(url, asked), headers={"Authorization": f"Token {key}"} if key else {})

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._is_turn_over = False
        return ()

    def finalise(self) -> Sequence[Message]:
        return (json.dumps({"type": END_MESSAGES[self.option["finish"]]}),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        was_welcome, self._is_welcome = self._is_welcome, True
        match body.get("type"):
            case "Results":
                return self._on_results(body)
            case "UtteranceEnd":
                return (Ignored("the turn was over already"),) if self._is_turn_over else (EndOfTurn(),)
            case "Metadata":
                return _on_metadata(body)
            case "SpeechStarted":
                return (Ignored("speech has started"),)
            case "Error":
                # Before anything else it is about what was asked for.
                return (ServerError(_what_went_wrong(body), None if was_welcome else Refusal.PARAMETERS),)
        return (Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}"),)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        own_keys = {
            "Results": {"channel_index", "channel"},
            "Metadata": {"request_id", "channels"},
            "SpeechStarted": {"channel", "timestamp"},
            "UtteranceEnd": {"channel", "last_word_end"},
            "Error": {"description"},
        }.get(str(body.get("type")))
        return own_keys is not None and body.keys() >= own_keys and "sequence_id" not in body  # which Flux has

    def _on_results(self, body: Mapping[str, object]) -> Sequence[Event]:
        """An interim result may be anything. A final one has a channel, whose alternatives may be none."""
        if body.get("is_final") is not True:
            guess = _first_guess(body)
            return partial(interim_text(guess, "transcript"), _words(last_of(guess.get("words"))))
        channel = child(body, "channel")
        if "alternatives" not in channel:
            raise ProtocolError(f"final Results without alternatives: {shown(body)}")
        alternatives = children(channel, "alternatives")
        text = text_of(alternatives[0], "transcript") if alternatives else ""
        words = _words(alternatives[0].get("words")) if alternatives else ()
        final = Final(text, is_last=body.get("from_finalize") is True, words=words)
        if body.get("speech_final") is True:
            self._is_turn_over = True
            return (final, EndOfTurn())
        self._is_turn_over = self._is_turn_over and not text
        return (final,)


def _first_guess(body: Mapping[str, object]) -> Mapping[str, object]:
    """The first alternative of an interim result; {} where there is anything else on the way."""
    channel = body.get("channel")
    guesses = channel.get("alternatives") if isinstance(channel, dict) else None
    return guesses[0] if isinstance(guesses, list) and guesses and isinstance(guesses[0], dict) else {}


def _words(words: object) -> Sequence[ServerWord]:
    """Words with their times in seconds of the stream."""
    return timed_words(words, "word", "start", "end")


def _on_metadata(body: Mapping[str, object]) -> Sequence[Event]:
    """Metadata is the last message after CloseStream; WhisperLiveKit also sends it as a greeting."""
    duration_s = body.get("duration")
    if not is_plausible(duration_s):
        raise ProtocolError(f"Metadata without a duration: {shown(body)}")
    return (Finished(),) if duration_s else (Ignored("a greeting: nothing was heard yet"),)


def _what_went_wrong(body: Mapping[str, object]) -> str:
    said = [str(body[key]) for key in ("description", "message", "reason") if body.get(key)]
    return ": ".join(said) or str(dict(body))[:200]

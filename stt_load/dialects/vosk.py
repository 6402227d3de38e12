"""vosk-server: a config, binary int16 PCM in, one reply a frame out, `{"eof" : 1}` ends it.

Server: alphacep/vosk-server at c2e82f0 (2025-05-25), `websocket/asr_server.py`, read and run with its model replaced;
its own client is `websocket/test.py`. Port 2700, any path. The GPU variant, `websocket-gpu-batch/asr_server_gpu.py`,
takes the rate alone, has no partials, and answers a frame when its batch is done.

What a client must know:

- It takes audio for 8,000 Hz (`VOSK_SAMPLE_RATE`) unless a config says otherwise, before the first frame: later ones
  change nothing.
- Each frame is answered once: `{"partial"}`, or `{"result", "text"}` where an endpoint was found. A client that
  waits for each answer slows itself down.
- `{"eof" : 1}` is compared as it stands, blanks too: `{"eof":1}`, or the same in a binary frame, is audio. It is
  answered with the rest of the text, perhaps none of it, and a close: the transcript is all texts in order.
- Any text message with the letters `config` in it is read as one; a `model` in it changes the model of every caller.
- Pauses end an utterance by Kaldi's rules: 0.5 s of silence at the least, 2 s at the most, 20 s of speech.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, End, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Ignored, Message, Partial, ServerWord
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import children, interim_text, parse_object, text_of, timed_words, try_object, unknown
from stt_load.option_values import or_none, parse_phrases, parse_rate_hz, parse_whole_number, parse_yes_or_no

EOF = '{"eof" : 1}'


class Vosk(Dialect):
    """One connection to a vosk-server. The config says only what was asked for, the rate always."""

    options = (
        DialectOption(
            "sample_rate", "16000", "Hz, told in the config; 8000 is what telephony models take", parse_rate_hz
        ),
        DialectOption("words", "", "true or false: texts with the times of their words", or_none(parse_yes_or_no)),
        DialectOption(
            "max_alternatives", "", "so many guesses, of which the first is taken", or_none(parse_whole_number)
        ),
        DialectOption("phrase_list", "", "the only phrases to listen for, separated by commas", parse_phrases),
    )
    unconfirmed = (
        "the silence that ends an utterance, 0.5 to 2 s, is Kaldi's default: a model's own conf/model.conf may differ",
        "the GPU variant was read, not run",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = _capabilities(self.option["sample_rate"], settings.end)
        self._partial = ""

    def connect(self, url: str) -> Connect:
        return Connect(url, first_messages=_first_messages(tuple(self.option.items())))

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._partial = ""
        return ()

    def finalise(self) -> Sequence[Message]:
        return (EOF,)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        if "partial" in body:
            return (self._on_partial(interim_text(body, "partial")),)
        if "alternatives" in body:
            guesses = children(body, "alternatives")
            return self._on_text(*_text_of(guesses[0])) if guesses else self._on_text("", ())
        if "text" in body:
            return self._on_text(*_text_of(body))
        return (unknown(body),)

    def _on_partial(self, text: str) -> Event:
        if text in ("", self._partial):
            return Ignored("a frame's answer that says nothing new")
        self._partial = text
        return Partial(text)

    def _on_text(self, text: str, words: Sequence[ServerWord]) -> Sequence[Event]:
        """A final text comes at an endpoint, or answers the end message: then the server closes behind it."""
        self._partial = ""
        return (Final(text, words=words), EndOfTurn()) if text else (Final(text),)

    @staticmethod
    def recognises(message: Message) -> bool:
        """A text alone in its object could be Parakeet's as well."""
        body = try_object(message)
        if "partial" in body:
            return body.keys() <= {"partial", "partial_result"}
        return body.keys() == {"alternatives"} or (body.keys() == {"result", "text"})


def _text_of(said: Mapping[str, object]) -> tuple[str, Sequence[ServerWord]]:
    """A final text and, where `words` was asked for, its words with their times in seconds of the connection."""
    return text_of(said, "text"), timed_words(said.get("result"), "word", "start", "end")


@functools.lru_cache(maxsize=16)
def _capabilities(sample_rate_hz: int, end: End) -> Capabilities:
    """What all connections of a run share, as they do their config."""
    return Capabilities(
        sample_rate_hz=sample_rate_hz,
        ends=("client", "server"),
        min_endpoint_s=0.5,
        quiet_s=5.0,
        max_segment_s=20.0,
        min_trailing_silence_s=0.5,
        trailing_silence_s=2.5,
        many_utterances=end == "server",
        turn_events=(EndOfTurn,),
    )


@functools.lru_cache(maxsize=16)
def _first_messages(options: tuple[tuple[str, Any], ...]) -> Sequence[Message]:
    config = {key: value for key, value in options if value not in (None, ())}
    return (json.dumps({"config": config}),)

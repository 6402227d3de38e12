"""Speech over a websocket that takes its text piece by piece: `/v1/audio/speech/stream` of vLLM-Omni and SGLang-Omni.

    C> {"type": "session.config", "response_format": "pcm", "stream_audio": true, "voice": …}
    C> {"type": "input.text", "text": "Hello"}      again and again
    C> {"type": "input.done"}
    S> {"type": "audio.start", "sentence_index": 0, "format": "pcm", "sample_rate": 24000}
    S> binary messages: audio
    S> {"type": "audio.done", "sentence_index": 0, "total_bytes": 96000, "error": false}
    S> {"type": "session.done", "total_sentences": 1}

Read: vllm-project/vllm-omni at 0131cb5, `entrypoints/openai/serving_speech_stream.py` and `speech_text_splitter.py`;
sgl-project/sglang-omni at 0e96c74, `serve/speech_ws.py`. What a client must know:

| | vLLM-Omni | SGLang-Omni |
|---|---|---|
| answers the config | never | `session.configured` |
| begins to speak | at `input.done`; from 0.29 by `split_granularity` | after each sentence |
| a sentence ends | at `.`, `!`, `?` and the blank behind it | at `.`, `!`, `?` at once: in the middle of 3.5 too |
| while it speaks | leaves the text in the socket | keeps 16 messages, and hangs up at the next one |
| after `session.done` | the connection stays open | it closes |
| says the sample rate | of pcm, with the first audio; older ones never | always |

Both speak one sentence after the other, say `error` and go on, and send a finished file for each sentence unless they
are asked for `pcm` and `stream_audio`, as here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stt_load.dialects.base import DEFAULTS, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    Event,
    Finished,
    Ignored,
    Message,
    Ready,
    ServerError,
    SpeechAudio,
    SpeechFormat,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.realtime_events import event
from stt_load.dialects.row import DialectRow
from stt_load.dialects.wire import RATES_HZ, parse_object, shown, try_object
from stt_load.errors import ProtocolError, Refusal
from stt_load.option_values import number_from_to, one_of, or_none, parse_whole_number
from stt_load.tts.audio_bytes import PCM_RATE_HZ

DEFAULT_TOKENS_PER_S = 30.0
_NOT_SENT = ("tokens_per_message",)
_OF_GENERATION = re.compile(r"(generation failed|internal error|idle timeout|timeout waiting)", re.IGNORECASE)
_FULL = re.compile(r"\bfull\b|too many|overload", re.IGNORECASE)
_CHANNELS = range(1, 9)
_READABLE = ("pcm", "wav")  # mp3 could not be told from samples


def _options(*more: DialectOption) -> tuple[DialectOption, ...]:
    return (
        DialectOption("model", "", "the server's name of the model", or_none()),
        DialectOption("voice", "", "the server's name of the voice", or_none()),
        DialectOption("language", "", "of the text, as the server calls it", or_none()),
        DialectOption("task_type", "", "CustomVoice, VoiceDesign or Base", or_none()),
        DialectOption("instructions", "", "how to speak", or_none()),
        DialectOption("seed", "", "the same audio each time", or_none(parse_whole_number)),
        DialectOption(
            "tokens_per_message",
            "1",
            "tokens that go out together, in one message",
            number_from_to(1, 1000, parse_whole_number),
        ),
        *more,
    )


class TextStreamDialect(Dialect):
    """One connection. What both servers have in common; a subclass says what is its own."""

    takes_key = True
    options = _options()
    capabilities = Capabilities(sample_rate_hz=PCM_RATE_HZ, ends=("client",))

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._has_begun = False  # to speak: then an error is about speech, and no longer about what was asked

    @property
    def tokens_per_message(self) -> int:
        return int(self.option["tokens_per_message"])

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        asked = {name: value for name, value in self.option.items() if value is not None and name not in _NOT_SENT}
        config = event("session.config", response_format="pcm", stream_audio=True, **asked)
        return Connect(url, {"Authorization": f"Bearer {key}"} if key else {}, first_messages=(config,))

    def text_message(self, piece: str) -> Message:
        """A piece of text as a message."""
        return event("input.text", text=piece)

    def finalise(self) -> Sequence[Message]:
        return (event("input.done"),)

    def on_message(self, message: Message) -> Sequence[Event]:
        if isinstance(message, bytes):
            self._has_begun = True
            return (SpeechAudio(message),)
        body = parse_object(message)
        kind = body.get("type")
        match kind:
            case "session.configured":
                return (Ready(),)
            case "audio.start":
                return self._on_start(body)
            case "audio.done" if body.get("error") is True:
                return (ServerError("a sentence could not be spoken"),)
            case "session.done":
                return (Finished(),)
            case "error":
                return (self._on_error(body),)
        return (Ignored(str(kind)),)

    def _on_start(self, body: Mapping[str, object]) -> Sequence[Event]:
        self._has_begun = True
        container, rate_hz, channels = body.get("format", "pcm"), body.get("sample_rate"), body.get("channels", 1)
        if container not in _READABLE:
            raise ProtocolError(f"audio.start has the format {shown(repr(container))}, where pcm was asked for")
        if rate_hz is None:
            return (Ignored("audio.start without a sample rate"),)
        if not (
            isinstance(rate_hz, int) and rate_hz in RATES_HZ and isinstance(channels, int) and channels in _CHANNELS
        ):
            raise ProtocolError(f"audio.start has no sample_rate and channels of speech: {shown(body)}")
        return (SpeechFormat(rate_hz, channels),)

    def _on_error(self, body: Mapping[str, object]) -> ServerError:
        text = " ".join(str(body.get("message")).split())
        if _FULL.search(text):
            return ServerError(text, Refusal.CAPACITY)
        is_about_request = not self._has_begun and not _OF_GENERATION.match(text)
        is_about_request &= body.get("error_type", "BadRequestError") == "BadRequestError"
        return ServerError(text, Refusal.PARAMETERS if is_about_request else None)

    @staticmethod
    def recognises(message: Message) -> bool:
        return try_object(message).get("type") in ("session.configured", "audio.start", "audio.done", "session.done")


class VllmOmniSpeech(TextStreamDialect):
    """One connection to vLLM-Omni. Nothing answers its config, so text follows at once."""

    options = _options(
        DialectOption(
            "split_granularity",
            "",
            "when it begins to speak: none (at the end of the text), sentence or clause; before 0.29 there is none",
            or_none(one_of("none", "sentence", "clause")),
        )
    )
    unconfirmed = (
        "a server that doesn't say its sample rate speaks at 24,000 Hz, one channel",
        "an error before any audio is about what was asked, unless its words say that speaking failed",
    )


class SglangOmniSpeech(TextStreamDialect):
    """One connection to SGLang-Omni, which says when it is configured."""

    options = _options(
        DialectOption(
            "split_granularity", "", "what is spoken at once: sentence or clause", or_none(one_of("sentence", "clause"))
        )
    )
    capabilities = Capabilities(
        sample_rate_hz=PCM_RATE_HZ,
        ends=("client",),
        has_ready=True,
        unanswered_end="it hangs up when more than 16 messages wait while it speaks a sentence: send fewer with "
        "--dialect-option tokens_per_message=8",
    )
    unconfirmed = ("an error of the words full, overload or too many means that it is full",)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStreamApi(DialectRow):
    """One speech API over a websocket that takes its text in pieces."""

    dialect: type[TextStreamDialect]

    def pace_of_text(self, tokens_per_s: float | None) -> float:
        """Tokens per second, by default as many as a fast language model writes."""
        return tokens_per_s or DEFAULT_TOKENS_PER_S

    def facts(self) -> dict[str, str]:
        return {
            "text": "piece by piece, at the pace of --tokens-per-second",
            "audio": "int16 samples as they are spoken",
            "a connection": "carries one text",
            "ready message": "yes" if self.capabilities.has_ready else "no",
        }


_PATH = "/v1/audio/speech/stream"

TEXT_STREAM_APIS = (
    TextStreamApi(
        name="tts-vllm-omni",
        summary="vLLM-Omni, websocket /v1/audio/speech/stream: text piece by piece in, int16 out",
        default_url=f"ws://localhost:8091{_PATH}",
        homepage="https://github.com/vllm-project/vllm-omni",
        dialect=VllmOmniSpeech,
    ),
    TextStreamApi(
        name="tts-sglang-omni",
        summary="SGLang-Omni, websocket /v1/audio/speech/stream: text piece by piece in, int16 out by the sentence",
        default_url=f"ws://localhost:8000{_PATH}",
        homepage="https://github.com/sgl-project/sglang-omni",
        dialect=SglangOmniSpeech,
    ),
)

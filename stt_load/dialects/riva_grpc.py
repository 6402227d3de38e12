"""NVIDIA Riva and speech NIM over gRPC: `StreamingRecognize`, a config and PCM in, interim and final results out.

Server: a closed container. Read: nvidia-riva/common at 02e531d (`riva/proto/riva_asr.proto`) and the messages of
nvidia-riva-client 2.28; clients: nvidia-riva/python-clients at 0fac814 (`riva/client/asr.py`), pipecat at 002d791
(`services/nvidia/stt.py`). Port 50051, `grpc://`; NVIDIA's own is `grpcs://grpc.nvcf.nvidia.com:443`.

What a client must know:

- The first message has the config and nothing else, each one after it audio and nothing else. The half-close ends the
  audio: the server recognises the rest, says it, and ends the call with a status.
- An interim result is the text since the last final one, and replaces the one before. One response may hold several
  that stand behind each other, as NVIDIA's own client reads them.
- A result with `is_final` ends what its endpointer takes for an utterance, after `stop_history` ms of blanks. The call
  goes on: it may carry any number of utterances.
- With `stop_history_eou`, shorter than `stop_history`, it takes an utterance for ended before it is sure: an interim
  result with a stability of 1 says so. What comes then is the final result, or an interim one that is less sure again.
- `is_final` may never come: a server that ended the call with OK after interim results alone has said the last of them
  for good.
- Every result may have several guesses, of which the first is the best; a result without any says nothing.
- The key is shown as `authorization: Bearer …`; NVIDIA's cloud also wants `function-id` (`--header function-id=…`).
- Audio that pauses for longer than the server keeps a sequence ends with INVALID_ARGUMENT: silence has to flow.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.carriers import GRPC
from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, End, Settings
from stt_load.dialects.events import (
    HALF_CLOSE,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Final,
    Ignored,
    Message,
    Partial,
    TurnResumed,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.protobuf import Field, Fields, decode, encode, with_length
from stt_load.dialects.wire import shown, timed_words
from stt_load.errors import PlainWords, ProtocolError
from stt_load.option_values import (
    number_from_to,
    or_none,
    parse_milliseconds,
    parse_pairs,
    parse_phrases,
    parse_rate_hz,
    parse_yes_or_no,
)

METHOD = "/nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize"
_LINEAR_PCM = 1  # of enum AudioEncoding
_STOP_HISTORY_MS = 800

SPEECH_CONTEXT: Fields = {1: Field("phrases", "string", is_list=True), 4: Field("boost", "float")}
ENDPOINTING: Fields = {3: Field("stop_history", "int32"), 5: Field("stop_history_eou", "int32")}
RECOGNITION_CONFIG: Fields = {
    1: Field("encoding", "int32"),
    2: Field("sample_rate_hertz", "int32"),
    3: Field("language_code", "string"),
    4: Field("max_alternatives", "int32"),
    6: Field("speech_contexts", "message", SPEECH_CONTEXT, is_list=True),
    7: Field("audio_channel_count", "int32"),
    8: Field("enable_word_time_offsets", "bool"),
    11: Field("enable_automatic_punctuation", "bool"),
    13: Field("model", "string"),
    14: Field("verbatim_transcripts", "bool"),
    24: Field("custom_configuration", "map"),
    25: Field("endpointing_config", "message", ENDPOINTING),
}
STREAMING_CONFIG: Fields = {1: Field("config", "message", RECOGNITION_CONFIG), 2: Field("interim_results", "bool")}
_AUDIO_CONTENT = 2
REQUEST: Fields = {
    1: Field("streaming_config", "message", STREAMING_CONFIG),
    _AUDIO_CONTENT: Field("audio_content", "bytes"),
}
WORD: Fields = {1: Field("start_time", "int32"), 2: Field("end_time", "int32"), 3: Field("word", "string")}
ALTERNATIVE: Fields = {1: Field("transcript", "string"), 3: Field("words", "message", WORD, is_list=True)}
RESULT: Fields = {
    1: Field("alternatives", "message", ALTERNATIVE, is_list=True),
    2: Field("is_final", "bool"),
    3: Field("stability", "float"),
}
RESPONSE: Fields = {1: Field("results", "message", RESULT, is_list=True)}

_AUDIO_TAG = encode({"audio_content": b""}, REQUEST)[:-1]  # what stands before the length of the audio
_parse_boost = number_from_to(-1_000, 1_000)


class RivaGrpc(Dialect):
    """One call to a Riva server."""

    carrier = GRPC
    takes_key = True
    options = (
        DialectOption("language", "en-US", "of the speech"),
        DialectOption("model", "", "as the server lists it; nothing for its default", or_none()),
        DialectOption("sample_rate", "16000", "Hz", parse_rate_hz),
        DialectOption("interim", "true", "true or false: results that may still change", parse_yes_or_no),
        DialectOption("punctuation", "", "true or false: automatic punctuation", or_none(parse_yes_or_no)),
        DialectOption("verbatim", "", "true or false: numbers as they are spoken", or_none(parse_yes_or_no)),
        DialectOption("words", "", "words or phrases to boost, with commas between them", parse_phrases),
        DialectOption("boost", "20", "how much; 20 to 100 for CTC models, 1 or 2 for the others", _parse_boost),
        DialectOption("stop_history_ms", "", "of blanks that end an utterance", or_none(parse_milliseconds)),
        DialectOption(
            "stop_history_eou_ms",
            "",
            "of blanks after which it takes an utterance for ended, and may take that back",
            or_none(parse_milliseconds),
        ),
        DialectOption("word_times", "", "true or false: times of the words of final results", or_none(parse_yes_or_no)),
        DialectOption("custom", "", "settings of the model's own, as in enable_vad_endpointing:true", parse_pairs),
    )
    unconfirmed = (
        "the server is closed: its messages are those of its .proto file, what it says when is read from clients",
        f"the endpointer waits for {_STOP_HISTORY_MS} ms of blanks unless told otherwise; models may differ",
        "a stability of 1 is nothing but an early end, where one was asked for; a lower one behind it takes it back",
        "the times of words are counted from the beginning of the call",
        "how it refuses a caller too many: by RESOURCE_EXHAUSTED or UNAVAILABLE, as gRPC has it",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._is_eager = self.option["stop_history_eou_ms"] is not None
        self.capabilities = _capabilities(
            self.option["sample_rate"], self.option["stop_history_ms"], self._is_eager, settings.end
        )
        self._interim = ""  # what was said since the last final result
        self._is_half_closed = False
        self._has_ended_early = False

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        return Connect(
            url,
            headers={"authorization": f"Bearer {key}"} if key else {},
            first_messages=(_config(tuple(self.option.items())),),
        )

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._interim, self._has_ended_early = "", False
        return ()

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (_AUDIO_TAG + with_length(pcm),)

    def finalise(self) -> Sequence[Message]:
        self._is_half_closed = True
        return (HALF_CLOSE,)

    def on_message(self, message: Message) -> Sequence[Event]:
        if isinstance(message, str):
            raise PlainWords(f"text where protobuf is spoken: {shown(message)}")
        events: list[Event] = []
        interim = []
        for result in decode(message, RESPONSE).get("results", ()):
            if result.get("is_final"):
                events += self._on_final(result)
            elif _text_of(result):
                interim.append(result)
        if interim:
            events += self._on_interim(interim)
        return events or (Ignored("a response without a text"),)

    def _on_final(self, result: Mapping[str, Any]) -> Sequence[Event]:
        """A result of silence, or behind the half-close, is no end that the endpointer heard."""
        self._interim, self._has_ended_early = "", False
        text = _text_of(result)
        words = [{"start_time": 0, **word} for word in _best_guess(result).get("words", ())]  # 0 is not sent
        final = Final(text, words=timed_words(words, "word", "start_time", "end_time", 1_000))
        return (final, EndOfTurn()) if text and not self._is_half_closed else (final,)

    def _on_interim(self, results: Sequence[Mapping[str, Any]]) -> Sequence[Event]:
        self._interim = " ".join(map(_text_of, results))
        is_early_end = self._is_eager and all(result.get("stability") == 1.0 for result in results)
        was_early_end, self._has_ended_early = self._has_ended_early, is_early_end
        if is_early_end == was_early_end:
            return (Partial(self._interim),)
        return (Partial(self._interim), EagerEndOfTurn() if is_early_end else TurnResumed())

    def on_end(self) -> Sequence[Event]:
        """What was said last is said for good, though no result did so."""
        return (Final(self._interim),) if self._interim else ()

    @staticmethod
    def recognises(message: Message) -> bool:
        try:
            return isinstance(message, bytes) and any(map(_text_of, decode(message, RESPONSE).get("results", ())))
        except ProtocolError:
            return False


def _best_guess(result: Mapping[str, Any]) -> Mapping[str, Any]:
    guesses = result.get("alternatives")
    return guesses[0] if guesses else {}


def _text_of(result: Mapping[str, Any]) -> str:
    """The text of a result, without blanks around it; an empty one where it has none."""
    text: str = _best_guess(result).get("transcript", "")
    return text.strip()


@functools.lru_cache(maxsize=16)
def _capabilities(sample_rate_hz: int, stop_history_ms: int | None, is_eager: bool, end: End) -> Capabilities:
    """What all connections of a run share."""
    silence_s = (_STOP_HISTORY_MS if stop_history_ms is None else stop_history_ms) / 1000
    return Capabilities(
        sample_rate_hz=sample_rate_hz,
        ends=("client", "server"),
        min_endpoint_s=0.5 * silence_s,
        min_trailing_silence_s=silence_s + 0.1,
        trailing_silence_s=silence_s + 1.2,
        many_utterances=end == "server",
        turn_events=(EndOfTurn, *((EagerEndOfTurn, TurnResumed) if is_eager else ())),
    )


@functools.lru_cache(maxsize=16)
def _config(options: tuple[tuple[str, Any], ...]) -> bytes:
    """The first message, which says what was asked for: what isn't said stays at the server's default."""
    asked = dict(options)
    contexts = [{"phrases": asked["words"], "boost": asked["boost"]}] if asked["words"] else []
    endpointing = {"stop_history": asked["stop_history_ms"], "stop_history_eou": asked["stop_history_eou_ms"]}
    config = {
        "encoding": _LINEAR_PCM,
        "sample_rate_hertz": asked["sample_rate"],
        "language_code": asked["language"],
        "max_alternatives": 1,
        "speech_contexts": contexts,
        "audio_channel_count": 1,
        "enable_word_time_offsets": asked["word_times"],
        "enable_automatic_punctuation": asked["punctuation"],
        "model": asked["model"],
        "verbatim_transcripts": asked["verbatim"],
        "custom_configuration": dict(asked["custom"]),
        "endpointing_config": None if set(endpointing.values()) == {None} else endpointing,
    }
    return encode({"streaming_config": {"config": config, "interim_results": asked["interim"]}}, REQUEST)

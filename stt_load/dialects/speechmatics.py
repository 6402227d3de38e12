"""Speechmatics realtime v2: binary int16 PCM in, each frame acknowledged, partial and final segments of transcript out.

Server: `/v2` of the service, and of the container that people host themselves, as speechmatics-python-sdk at a57ee8d
(2026-06-22), `sdk/rt/speechmatics/rt`, and docs.speechmatics.com tell it; the order of messages and the blanks in
texts as the SDK's recording of a session shows them (`tests/voice/assets/chat1.jsonl`, September 2025).

What a client must know:

- `StartRecognition` says everything; audio before `RecognitionStarted` is a protocol error.
- Final texts bring their own blanks (`"hello there "`) and are put together as they are. Punctuation may come late and
  alone (`". "`), at the end of an utterance: it says no new word, so it does not stop the EOS clock, and is left
  out. While audio flows, silence brings an empty final every third of a second.
- `max_delay` bounds the wait for a final text: it is a part of every latency measured here.
- `EndOfUtterance` comes after `silence_trigger` seconds of silence, where that was asked for, or as the answer to
  `ForceEndOfUtterance`. `EndOfStream` must tell how many binary frames were sent; `EndOfTranscript` answers it, then
  the server closes.
- A refusal is an `Error` after an upgrade that went well, except a wrong key: HTTP 401.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    EndOfTurn,
    Event,
    Final,
    Finished,
    Ignored,
    Message,
    Ready,
    ServerError,
    ServerWord,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import child, interim_text, last_of, parse_object, partial, shown, timed_words, try_object
from stt_load.errors import ProtocolError, Refusal
from stt_load.option_values import one_of, or_none, parse_phrases, parse_rate_hz, parse_seconds, parse_yes_or_no

# Types of the Error message that tell a caller to go away; the others are failures.
REFUSALS = {
    "not_authorised": Refusal.AUTH,
    "not_allowed": Refusal.AUTH,
    "insufficient_funds": Refusal.AUTH,
    "quota_exceeded": Refusal.CAPACITY,
    "invalid_model": Refusal.PARAMETERS,
    "invalid_config": Refusal.PARAMETERS,
    "invalid_audio_type": Refusal.PARAMETERS,
    "invalid_language": Refusal.PARAMETERS,
}
MESSAGE_TYPES = (
    *("RecognitionStarted", "AudioAdded", "AddTranscript", "AddPartialTranscript"),
    *("EndOfUtterance", "EndOfTranscript"),
)
WITHOUT_EFFECT = ("AudioAdded", "Info", "Warning", "AudioEventStarted", "AudioEventEnded", "SpeakersResult")


class Speechmatics(Dialect):
    """One session of the service or of the container."""

    takes_key = True
    codecs = MappingProxyType({"mulaw8k": "mulaw"})
    options = (
        DialectOption("language", "en", "what is spoken"),
        DialectOption("sample_rate", "16000", "of what is sent, Hz", parse_rate_hz),
        DialectOption("max_delay", "1.0", "the longest wait for a final text, s", parse_seconds),
        DialectOption("max_delay_mode", "", "fixed, or flexible for numbers and the like", or_none()),
        DialectOption("silence_trigger", "0.5", "s of silence that end an utterance of --end server", parse_seconds),
        DialectOption("model", "", "standard or enhanced, as the service calls it", or_none()),
        DialectOption("operating_point", "", "standard or enhanced, as older containers call it", or_none()),
        DialectOption("partials", "true", "texts that may still change", parse_yes_or_no),
        DialectOption("vocabulary", "", "words to listen for, with commas between them", parse_phrases),
        DialectOption("finish", "stream", "how the client ends: stream or utterance", one_of("stream", "utterance")),
    )
    unconfirmed = (
        "that ForceEndOfUtterance with nothing left to say is answered by EndOfUtterance all the same",
        "that the last EndOfUtterance comes after the last words in every setting, as in the recording",
        "which types of Error a container has; a type that isn't known counts as a failure",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self._is_told = settings.end == "client"
        self._ends_stream = self.option["finish"] == "stream"
        self.capabilities = Capabilities(
            sample_rate_hz=self.rate_hz(self.option["sample_rate"]),
            has_ready=True,
            ends=("server", "client"),
            min_endpoint_s=self.option["silence_trigger"],
            quiet_s=self.option["max_delay"] + 2.0,
            min_trailing_silence_s=self.option["silence_trigger"],
            trailing_silence_s=self.option["silence_trigger"] + self.option["max_delay"],
            many_utterances=not (self._is_told and self._ends_stream),
            turn_events=() if self._is_told else (EndOfTurn,),
        )
        self._frames_sent = 0  # once the utterance has been said
        self._samples_sent = 0

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return Connect(url, headers=headers, first_messages=(json.dumps(self._start()),))

    def begin(self, length: AudioLength) -> Sequence[Message]:
        self._frames_sent += length.frames
        self._samples_sent += length.samples
        return ()

    def finalise(self) -> Sequence[Message]:
        if self._ends_stream:
            return (json.dumps({"message": "EndOfStream", "last_seq_no": self._frames_sent}),)
        sent_s = self._samples_sent / self.capabilities.sample_rate_hz
        return (json.dumps({"message": "ForceEndOfUtterance", "timestamp": sent_s}),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        match body.get("message"):
            case "RecognitionStarted":
                return (Ready(),)
            case "AddPartialTranscript":
                return partial(interim_text(body, "metadata", "transcript"), _words(last_of(body.get("results"))))
            case "AddTranscript":
                text = _transcript(body)
                return (Final(text if any(map(str.isalnum, text)) else "", words=_words(body.get("results"))),)
            case "EndOfUtterance":
                is_answer = self._is_told and not self._ends_stream
                return (EndOfTurn(), Finished()) if is_answer else (EndOfTurn(),)
            case "EndOfTranscript":
                return (Finished(),)
            case "Error":
                kind = str(body.get("type"))
                return (ServerError(f"{kind}: {body.get('reason')}", REFUSALS.get(kind)),)
            case str(kind) if kind in WITHOUT_EFFECT:
                return (Ignored(f"{kind} {body.get('reason') or body.get('seq_no') or ''}".rstrip()),)
        return (Ignored(f"unknown message with {', '.join(sorted(body)) or 'no keys'}"),)

    def join(self, finals: Sequence[str]) -> str:
        """The texts as they are: they bring their own blanks, and languages without blanks bring none."""
        return "".join(finals).strip()

    def lengths(self, finals: Sequence[str]) -> Sequence[int]:
        text = "".join(finals)
        n_blank = len(text) - len(text.lstrip())
        # Behind the last word of what was told, blanks don't count.
        lengths, said_to = [], n_blank
        for begin, part in zip(accumulate(map(len, finals), initial=0), finals, strict=False):
            if part.strip():
                said_to = begin + len(part.rstrip())
            lengths.append(said_to - n_blank)
        return lengths

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        return body.get("message") in MESSAGE_TYPES or (
            body.get("message") in ("Error", "Info", "Warning") and body.keys() >= {"type", "reason"}
        )

    def _start(self) -> dict[str, object]:
        option = self.option
        config = {
            "language": option["language"],
            "enable_partials": option["partials"],
            "max_delay": option["max_delay"],
            "max_delay_mode": option["max_delay_mode"],
            "model": option["model"],
            "operating_point": option["operating_point"],
            "additional_vocab": [{"content": phrase} for phrase in option["vocabulary"]] or None,
            "conversation_config": None
            if self._is_told
            else {"end_of_utterance_silence_trigger": option["silence_trigger"]},
        }
        return {
            "message": "StartRecognition",
            "audio_format": {
                "type": "raw",
                "encoding": self.encoding("pcm_s16le"),
                "sample_rate": self.capabilities.sample_rate_hz,
            },
            "transcription_config": {name: value for name, value in config.items() if value is not None},
        }


def _words(results: object) -> Sequence[ServerWord]:
    """The words of results, with their times in seconds of the session. A result is a word or a punctuation mark; which
    one is its first alternative's `content`."""
    if not isinstance(results, list):
        return ()
    words = [
        {**result, "content": interim_text(result, "alternatives", 0, "content")}
        for result in results
        if isinstance(result, dict) and result.get("type") != "punctuation"
    ]
    return timed_words(words, "content", "start_time", "end_time")


def _transcript(body: Mapping[str, object]) -> str:
    """The final text, with its own blanks; null is an empty one. Raises ProtocolError for anything else."""
    text = child(body, "metadata").get("transcript", 0)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise ProtocolError(f"a transcript that is not a text: {shown(body)}")
    return text

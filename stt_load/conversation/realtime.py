"""A conversation over OpenAI Realtime: speech in, speech out, in the events of the beta and of the GA protocol.

| | beta | GA |
|---|---|---|
| asked for by | header `OpenAI-Beta: realtime=v1` | nothing |
| session | `modalities`, `voice`, `turn_detection` | `type`, `output_modalities`, `audio.input`, `audio.output` |
| audio | `response.audio.delta` | `response.output_audio.delta` |

What both have: `response.created` and `response.done` around each answer, `input_audio_buffer.speech_started` where the
server detects turns, `input_audio_buffer.commit` and `response.create` where the client ends them, `response.cancel`.
Both names of an event are understood whichever was asked for, since servers mix them.

Read: OpenAI's server and client events (developers.openai.com, November 2026); speaches-ai/speaches at 870e1e1,
`realtime/*_event_router.py`; vllm-project/vllm-omni, `docs/serving/realtime_openai_duplex_api.md` at 0067411 and
`realtime/session.py` at 0e9eef6. What a client must know:

- `response.done` says `status`: completed, cancelled (by the client, or by its speech), incomplete, failed.
- Audio comes faster than it is heard: a whole answer may be there before a second of it was played.
- vLLM-Omni's audio is under `audio` in older versions, with `sample_rate_hz` beside it, and without `response.done`.
- vLLM-Omni 0.30 converses at this path only with a model for that (duplex). With any other it speaks as vLLM does when
  it transcribes, and refuses the session: "Missing required field: model".
- SGLang-Omni (read: 0.1.9, `serve/realtime/session.py`) converses in events of the beta, hears 16,000 Hz, speaks as its
  model does, never says the rate, and ends turns by itself alone.
- speaches takes no turn detection of the client's, answers `response.cancel` with an error, and goes on speaking when
  it is spoken over, until it has the next answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from stt_load.conversation.answer import NamedAnswer
from stt_load.conversation.dialect import ConversationDialect
from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, End, Settings
from stt_load.dialects.events import (
    AnswerBegins,
    AnswerEnded,
    CallerHeard,
    Event,
    Message,
    Ready,
    SpeechAudio,
    SpeechFormat,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import RATES_HZ, child, interim_text, shown, try_object, value_at, with_query
from stt_load.errors import ProtocolError
from stt_load.option_values import one_of, or_none, parse_milliseconds, parse_rate_hz

CLEAR = "input_audio_buffer.clear"
CREATE = "response.create"
CANCEL = "response.cancel"
AUDIO = ("response.output_audio.delta", "response.audio.delta")
AUDIO_DONE = ("response.output_audio.done", "response.audio.done")

_NO_SAMPLES = re.compile(r"law|pcm[ua]\b|opus|mp3|aac", re.IGNORECASE)
_ENDS_OF_SESSION = ("session_expired",)
_ASKED_TO_ANSWER = "answer"  # `event_id` of CREATE: an error that names it is the answer to it
_COMMON = (
    DialectOption("voice", "", "the server's name of the voice", or_none()),
    DialectOption("instructions", "", "what the model is told to be", or_none()),
)


class RealtimeConversation(realtime.RealtimeDialect, ConversationDialect):
    """One connection."""

    options: ClassVar[tuple[DialectOption, ...]] = (
        DialectOption("model", "gpt-realtime", "the server's name of the model; nothing for its own", or_none()),
        *_COMMON,
        DialectOption("protocol", "ga", "ga or beta", one_of("ga", "beta")),
        DialectOption("sample_rate", "24000", "Hz, of what is sent; OpenAI takes 24000 only", parse_rate_hz),
        DialectOption("answer_rate", "", "Hz, of answers; as what is sent by default", or_none(parse_rate_hz)),
        DialectOption("silence_ms", "500", "of server_vad, where the server ends the turn", parse_milliseconds),
        DialectOption(
            "interrupted_by",
            "",
            "server (it hears the caller) or client (response.cancel)",
            or_none(one_of("server", "client")),
        ),
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "the events are read from OpenAI's documents; no conversation with its servers, or vLLM-Omni's, was measured",
        "answers have the sample rate that was asked for, unless the server says another, in its session or beside its "
        "audio",
        "an error after session.updated is got over, unless it is one of the server itself, or about response.create",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = Capabilities(
            sample_rate_hz=self._rate_hz,
            encoding="base64 int16",
            has_ready=True,
            ends=self._ends,
            trailing_silence_s=0.0,
            many_utterances=True,
        )
        self.interrupts = (self.option.get("interrupted_by") or settings.end) == "client"
        self._asked_answer_rate_hz: int = self.option.get("answer_rate") or self._rate_hz
        self.answer_rate_hz = self._asked_answer_rate_hz  # of what the server speaks
        self._names_answers = False
        self._latest_answer = ""  # that was begun; what has no name belongs to it

    _ends: tuple[End, ...] = ("server", "client")

    @property
    def _rate_hz(self) -> int:
        return int(self.option["sample_rate"])

    @property
    def _is_beta(self) -> bool:
        return bool(self.option["protocol"] == "beta")

    def connect(self, url: str) -> Connect:
        headers = {**self._credentials, **({"OpenAI-Beta": "realtime=v1"} if self._is_beta else {})}
        session = self._beta_session() if self._is_beta else self._ga_session()
        update = realtime.event(realtime.UPDATE, session=session)
        return Connect(with_query(url, {"model": self.option["model"]}), headers, first_messages=(update,))

    def _ga_session(self) -> dict[str, object]:
        output = {"format": {"type": "audio/pcm", "rate": self._asked_answer_rate_hz}, **self._asked("voice")}
        detection = {"format": {"type": "audio/pcm", "rate": self._rate_hz}, "turn_detection": self._turn_detection()}
        return {
            "type": "realtime",
            "output_modalities": ["audio"],
            "audio": {"input": detection, "output": output},
            **self._asked("model", "instructions"),
        }

    def _beta_session(self) -> dict[str, object]:
        return {
            "modalities": ["audio", "text"],
            "turn_detection": self._turn_detection(),
            **self._asked("voice", "instructions"),
        }

    def _turn_detection(self) -> dict[str, object] | None:
        if self.settings.end == "client":
            return None
        return {"type": "server_vad", "silence_duration_ms": self.option["silence_ms"], "create_response": True}

    def _asked(self, *names: str) -> dict[str, object]:
        return {name: self.option[name] for name in names if self.option[name] is not None}

    def begin(self, length: AudioLength) -> Sequence[Message]:
        """The silence since the last turn is no part of the next one."""
        return (realtime.event(CLEAR),) if self.settings.end == "client" else ()

    def finalise(self) -> Sequence[Message]:
        return realtime.event(realtime.COMMIT), realtime.event(CREATE, event_id=_ASKED_TO_ANSWER)

    def new_answer(self) -> NamedAnswer:
        return NamedAnswer(self.answer_rate_hz, is_cancelled=self.interrupts)

    def cancel(self) -> Message:
        return realtime.event(CANCEL)

    @staticmethod
    def is_frame(message: Message) -> bool:
        return realtime.APPEND in str(message)[:60]

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Event]:
        if kind in AUDIO:
            return self._on_audio(body)
        match kind:
            case realtime.UPDATED:
                self._is_configured = True
                return (*self._on_format(body.get("session")), Ready())
            case "input_audio_buffer.speech_started":
                return (CallerHeard(),)
            case "response.created":
                self._names_answers = True
                self._latest_answer = str(child(body, "response").get("id") or "")
                return (AnswerBegins(self._latest_answer),) if self._latest_answer else ()
            case "response.done":
                return (self._on_done(child(body, "response")),)
        if kind in AUDIO_DONE and not self._names_answers:
            return (AnswerEnded(self._answer_of(body)),)
        return ()

    def _on_format(self, session: object) -> Sequence[Event]:
        """How the server speaks, where its session tells. Raises ProtocolError where it isn't in samples."""
        path = ("audio", "output", "format")
        name = interim_text(session, *path, "type") or interim_text(session, "output_audio_format")
        if _NO_SAMPLES.search(name):
            raise ProtocolError(f"the server speaks in {shown(name)}, where pcm was asked for")
        rate_hz = _rate_of(value_at(session, *path, "rate"))
        self.answer_rate_hz = rate_hz or self._asked_answer_rate_hz
        return (SpeechFormat(rate_hz),) if rate_hz else ()

    def _on_audio(self, body: Mapping[str, object]) -> Sequence[Event]:
        try:
            data = base64.b64decode(str(body.get("delta") or body.get("audio") or ""), validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolError("the audio of an answer is no base64") from None
        audio, rate_hz = SpeechAudio(data, self._answer_of(body)), _rate_of(body.get("sample_rate_hz"))
        return (SpeechFormat(rate_hz), audio) if rate_hz else (audio,)

    def _answer_of(self, body: Mapping[str, object]) -> str:
        return str(body.get("response_id") or self._latest_answer)

    def _on_done(self, response: Mapping[str, object]) -> AnswerEnded:
        error = ""
        if response.get("status") == "failed":
            details = child(child(response, "status_details"), "error")
            error = f"the answer failed: {details.get('message') or details.get('code') or 'no reason given'}"
        return AnswerEnded(str(response.get("id") or self._latest_answer), error)

    def _gets_over(self, error: Mapping[str, object]) -> bool:
        return (
            error.get("type") != "server_error"
            and error.get("code") not in _ENDS_OF_SESSION
            and error.get("event_id") != _ASKED_TO_ANSWER
        )

    @staticmethod
    def recognises(message: Message) -> bool:
        return try_object(message).get("type") in (*AUDIO, *AUDIO_DONE, "response.created", "response.done")


def _rate_of(told: object) -> int | None:
    """A sample rate, Hz; None where none is told. Raises ProtocolError for one that speech can't have."""
    if told is None:
        return None
    if not isinstance(told, int) or told not in RATES_HZ:
        raise ProtocolError(f"the server speaks at a sample rate of {shown(repr(told))}")
    return told


class SpeachesConversation(RealtimeConversation):
    """One connection to speaches, which speaks the beta and detects turns by its own rules alone."""

    options = (
        DialectOption("model", "gpt-4o-realtime-preview", "the name of the language model; it lets nobody in without"),
        *_COMMON,
    )
    unconfirmed = ("its own websocket side was spoken to, without its models; no conversation with it was measured",)
    _ends = ("server",)

    @property
    def _rate_hz(self) -> int:
        return 24_000

    @property
    def _is_beta(self) -> bool:
        return True

    def _beta_session(self) -> dict[str, object]:
        """It objects to formats and to a turn detection of the client's."""
        return {"modalities": ["audio", "text"], **self._asked("voice", "instructions")}

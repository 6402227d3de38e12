"""NVIDIA's speech NIM (Riva), realtime ASR: base64 int16 PCM in, each chunk committed, one text an utterance out.

Server: a closed container; its reference is docs.nvidia.com/nim/speech, Realtime API. Read: its own client,
nvidia-riva/python-clients at 7f611ba (2026-05-06) and later, `riva/client/realtime.py`, and clients of others. Port
9000, `/v1/realtime?intent=transcription`.

What a client must know:

- It greets with `conversation.created`. `transcription_session.update` sets the session and is answered by
  `transcription_session.updated`. Its own client copies the defaults from `POST /v1/realtime/transcription_sessions`
  first; other clients leave that out, and so does this one: what isn't said stays at the server's default.
- `input_audio_buffer.commit` follows every chunk. `input_audio_buffer.done` ends the audio, and nothing can come after.
- `…transcription.completed` after each utterance that its endpointer hears, `is_last_result` true on the one that
  answers `done`. Clients have seen the last one carry the text of all, or only the rest: both are joined here.
- Item ids don't tell which commit a text belongs to.
- A server with REALTIME_AUTH_MINT_API_KEY wants a client secret, which that POST gives out and which is short-lived:
  get one first, give it as the API key, and set `key` to secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.dialects import realtime_events as realtime
from stt_load.dialects.base import DEFAULTS, Capabilities, Connect, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Message, Ready
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import as_base64, text_of, try_object, with_query
from stt_load.option_values import (
    one_of,
    or_none,
    parse_milliseconds,
    parse_phrases,
    parse_rate_hz,
    parse_whole_number,
    parse_yes_or_no,
)

_COMMIT = realtime.event(realtime.COMMIT)
_STOP_HISTORY_MS = 800


class Riva(realtime.RealtimeDialect):
    """One connection to an ASR NIM."""

    options = (
        DialectOption("language", "en-US", "of the speech"),
        DialectOption("model", "", "as the server lists it; nothing for its default", or_none()),
        DialectOption("sample_rate", "16000", "Hz", parse_rate_hz),
        DialectOption("punctuation", "", "true or false: automatic punctuation", or_none(parse_yes_or_no)),
        DialectOption("verbatim", "", "true or false: numbers as they are spoken", or_none(parse_yes_or_no)),
        DialectOption("words", "", "words or phrases to boost, with commas between them", parse_phrases),
        DialectOption("boost", "20", "how much; 20 to 100 for CTC models, 1 or 2 for the others", parse_whole_number),
        DialectOption("stop_history_ms", "", "of blanks that end an utterance", or_none(parse_milliseconds)),
        DialectOption(
            "key", "bearer", "how the API key is shown: bearer, or secret for a minted one", one_of("bearer", "secret")
        ),
    )
    unconfirmed = (
        "the server is closed: its events are read from clients and, in part, from its reference",
        "the session may be set without the defaults that the POST returns",
        f"the endpointer waits for {_STOP_HISTORY_MS} ms of blanks unless told otherwise; models may differ",
        "the last text is the whole one, or the last one once more, or what was left: judged by how it begins",
        "a minted secret may be used by many connections, for as long as it lasts",
    )

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        silence_s = (self.option["stop_history_ms"] or _STOP_HISTORY_MS) / 1000
        self.capabilities = Capabilities(
            sample_rate_hz=self.option["sample_rate"],
            encoding="base64 int16",
            has_ready=True,
            ends=("client", "server"),
            min_endpoint_s=0.5 * silence_s,
            min_trailing_silence_s=silence_s + 0.1,
            trailing_silence_s=silence_s + 1.2,
            turn_events=(EndOfTurn,),
        )
        self._has_last_result = False

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        is_secret = self.option["key"] == "secret"
        return Connect(
            with_query(url, {"intent": "transcription"}),
            headers={} if is_secret else self._credentials,
            subprotocols=("realtime", f"realtime-token.{key}") if is_secret and key else (),
            first_messages=(realtime.event("transcription_session.update", session=self._session()),),
        )

    def _session(self) -> dict[str, object]:
        asked = self.option
        told = {"language": asked["language"], "model": asked["model"]}
        config = {
            "enable_automatic_punctuation": asked["punctuation"],
            "enable_verbatim_transcripts": asked["verbatim"],
        }
        session: dict[str, object] = {
            "modalities": ["text"],
            "input_audio_format": "pcm16",
            "input_audio_params": {"sample_rate_hz": asked["sample_rate"], "num_channels": 1},
            "input_audio_transcription": _without_none(told),
            "recognition_config": _without_none(config),
        }
        if asked["words"]:
            boosted = {"phrases": list(asked["words"]), "boost": asked["boost"]}
            session["word_boosting"] = {"enable_word_boosting": True, "word_boosting_list": [boosted]}
        if asked["stop_history_ms"] is not None:
            session["endpointing_config"] = {"stop_history": asked["stop_history_ms"]}
        return session

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (realtime.event(realtime.APPEND, audio=as_base64(pcm)), _COMMIT)

    def finalise(self) -> Sequence[Message]:
        return (realtime.event("input_audio_buffer.done"),)

    def on_event(self, kind: str, body: Mapping[str, object]) -> Sequence[Event]:
        match kind:
            case "transcription_session.updated":
                self._is_configured = True
                return (Ready(),)
            case realtime.DELTA:
                return realtime.partial_of(body)
            case realtime.COMPLETED:
                return self._on_completed(text_of(body, "transcript"), body.get("is_last_result") is True)
            case realtime.FAILED:
                return (realtime.failure_of(body),)
        return ()

    def _on_completed(self, text: str, is_last: bool) -> Sequence[Event]:
        """Turns a result into events. The server answers silence with an empty text, which ends no turn."""
        self._has_last_result |= is_last
        return (Final(text, is_last),) if is_last or not text else (Final(text), EndOfTurn())

    def join(self, finals: Sequence[str]) -> str:
        """The transcript with each text once: the last result may repeat all of it, or the end of it."""
        *earlier, last = (*finals,) if self._has_last_result and finals else (*finals, "")
        told = _Told()
        for text in earlier:
            told.add(text)
        if last and last not in (str(told), *told.texts[-1:]):
            told.add(last)
        return str(told)

    def lengths(self, finals: Sequence[str]) -> Sequence[int]:
        told = _Told()
        return [told.add(text) for text in finals]

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        kind = body.get("type")
        return kind in ("transcription_session.updated", "conversation.created") or (
            kind == realtime.COMPLETED and "is_last_result" in body
        )


class _Told:
    """What was told, text by text. One that begins with all of it takes its place; an empty one says nothing."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._length = 0

    def __str__(self) -> str:
        return " ".join(self.texts)

    def add(self, text: str) -> int:
        """Adds a text. Gives how many characters there are then."""
        if not text:
            return self._length
        # A shorter one can't begin with all of it: of an hour of sentences none has to be compared.
        if self.texts and len(text) > self._length and text.startswith(f"{self} "):
            self.texts, self._length = [], 0
        self._length += len(text) + (1 if self.texts else 0)
        self.texts.append(text)
        return self._length


def _without_none(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}

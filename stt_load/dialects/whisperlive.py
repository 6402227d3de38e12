"""WhisperLive: a JSON greeting, float32 PCM in, the latest segments out after every pass of the model.

Server: collabora/WhisperLive at bde730b (2026-08-04), `whisper_live/server.py`, `backend/base.py`,
`backend/faster_whisper_backend.py`, read and run with its model replaced; its own client is `whisper_live/client.py`.
Port 9090, any path.

What a client must know:

- The greeting names `uid`, `language`, `task` and `model`: without one of them the server closes, in good order and
  without a word. Audio is welcome after `SERVER_READY`. A full server says `WAIT` and closes.
- Audio is float32 unless the greeting says `"audio_format":"int16"` (or the server has `--raw_pcm_input`).
- The model runs over all audio that is not settled, again and again, if there is 1 s of it at least. Each pass tells
  the last N segments: those `completed` don't change, the last may be unsettled and its start may move, so it is one
  slot and isn't known by its start.
- A segment is completed when a later one begins, or when more than `same_output_threshold` passes in a row gave the
  same, at 0.1 s or more each: the text is there earlier. `eos_latency` takes the last change of the text,
  `settled_latency` the completion.
- `END_OF_AUDIO` flushes nothing: what no pass has told by then is lost. So silence has to follow the speech, and the
  server ends the utterance. Its own client waits for 15 s without news.
- Of a backlog over 45 s the oldest 30 s are dropped, silently: words are missing then. After 300 s
  (`--max_connection_time`) it hangs up with `DISCONNECT`.
- `use_vad` of the latest caller holds for every caller; left out it is false.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from stt_load.dialects.base import DEFAULTS, AudioLength, Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    EndOfTurn,
    Event,
    Ignored,
    Message,
    Ready,
    ServerError,
    ServerWord,
)
from stt_load.dialects.options import DialectOption
from stt_load.dialects.wire import (
    as_float32,
    children,
    interim_text,
    is_plausible,
    parse_object,
    text_of,
    try_object,
    unknown,
)
from stt_load.errors import Refusal
from stt_load.option_values import one_of, or_none, parse_number, parse_whole_number, parse_yes_or_no

_UID = "stt-load"
_MESSAGES = ("SERVER_READY", "DISCONNECT")


class WhisperLive(Dialect):
    """One connection. A completed segment is known by its times and its text together."""

    takes_key = True
    options = (
        DialectOption("language", "en", "as in de; empty: the server finds out, from up to 30 s of audio", or_none()),
        DialectOption("task", "transcribe", "transcribe or translate", one_of("transcribe", "translate")),
        DialectOption("model", "small", "ignored by a server with a model of its own"),
        DialectOption("use_vad", "true", "true or false; the latest caller's holds for all", parse_yes_or_no),
        DialectOption("audio_format", "float32", "float32 or int16", one_of("float32", "int16")),
        DialectOption("send_last_n_segments", "10", "segments in each message", parse_whole_number),
        DialectOption("same_output_threshold", "10", "equal passes that complete a segment", parse_whole_number),
        DialectOption("no_speech_thresh", "0.45", "segments less likely to be speech are dropped", parse_number),
        DialectOption("initial_prompt", "", "context for the model", or_none()),
        DialectOption("hotwords", "", "words to expect", or_none()),
    )
    unconfirmed = ("of its backends only faster_whisper was read and run: TensorRT and OpenVINO may settle otherwise",)

    def __init__(self, settings: Settings = DEFAULTS) -> None:
        super().__init__(settings)
        self.capabilities = Capabilities(
            encoding=self.option["audio_format"],
            has_ready=True,
            ends=("server",),
            min_endpoint_s=1.0,
            quiet_s=15.0,
            min_trailing_silence_s=1.0,
            trailing_silence_s=2.0,
            many_utterances=True,
            turn_events=(),  # a completed segment is a phrase that the model repeats, not a turn
        )
        self._earlier: set[tuple[str, str, str]] = set()
        self._completed: dict[tuple[str, str, str], str] = {}
        self._tail = ""

    def connect(self, url: str) -> Connect:
        key = self.settings.api_key
        greeting = json.dumps({"uid": _UID, **self.option})
        return Connect(url, headers={"Authorization": f"Bearer {key}"} if key else {}, first_messages=(greeting,))

    def begin(self, length: AudioLength) -> Sequence[Message]:
        """The server goes on repeating its newest segments, so those completed before are remembered."""
        self._earlier.update(self._completed)
        self._completed.clear()
        self._tail = ""
        return ()

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (pcm if self.option["audio_format"] == "int16" else as_float32(pcm),)

    def on_message(self, message: Message) -> Sequence[Event]:
        body = parse_object(message)
        if "segments" in body:
            return self._on_segments(children(body, "segments"))
        if "status" in body:
            return (_on_status(body),)
        match body.get("message"):
            case "SERVER_READY":
                return (Ready(),)
            case "DISCONNECT":
                return (ServerError("the server hung up: the connection was open for longer than it allows"),)
        return (Ignored("the language that it found") if "language_prob" in body else unknown(body),)

    def _on_segments(self, segments: Sequence[Mapping[str, object]]) -> Sequence[Event]:
        """Completed segments add up; the unfinished one follows them until the next message. It may come without a
        text, and then it stays as it was told."""
        tail, is_turn_over = "", False
        unfinished: Sequence[ServerWord] = ()
        for segment in segments:
            is_completed = segment.get("completed") is True
            text = text_of(segment, "text") if is_completed else interim_text(segment, "text")
            name = (str(segment.get("start")), str(segment.get("end")), text)
            if name in self._earlier:
                continue
            is_turn_over = is_completed and name not in self._completed
            if is_completed:
                self._completed[name] = text
            else:
                tail = text if isinstance(segment.get("text"), str) else self._tail
                unfinished = _timed(name)
        self._tail = tail
        whole = self.join([*self._completed.values(), tail])
        words = [word for name in self._completed for word in _timed(name)]
        told = CumulativeTranscript(whole, words=(*words, *unfinished))
        return (told, EndOfTurn()) if is_turn_over else (told,)

    @staticmethod
    def recognises(message: Message) -> bool:
        body = try_object(message)
        if "uid" not in body:
            return False
        return not body.keys().isdisjoint(("segments", "status", "language_prob")) or body.get("message") in _MESSAGES


def _timed(segment: tuple[str, str, str]) -> Sequence[ServerWord]:
    """A segment, by start, end and text, as several words with one start and one end: seconds of the connection."""
    start, end, text = segment
    try:
        start_s, end_s = float(start), float(end)
    except ValueError:
        return ()
    return (ServerWord(text, start_s, end_s),) if is_plausible(start_s) and is_plausible(end_s) else ()


def _on_status(body: Mapping[str, object]) -> Event:
    status, message = body["status"], body.get("message")
    if status == "WAIT":
        wait = f", for {message:.1f} min" if is_plausible(message) else ""
        return ServerError(f"the server is full{wait}", Refusal.CAPACITY)
    if status == "ERROR":
        return ServerError(str(message))
    return Ignored(f"{status}: {message}")

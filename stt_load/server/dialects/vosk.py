"""vosk-server, as `stt_load/dialects/vosk.py` describes it: its strict messages, its rate, one answer a frame.

As there, one thing is done after the other: while a segment is being recognised, the frames behind it wait for their
answers.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
    Close,
    DiscardAudio,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRequest,
)

EOF = '{"eof" : 1}'
RESET = '{"reset" : 1}'
_INTERNAL_ERROR = Close(1011, "internal error")

Answer = Literal["partial", "text", "rest"]
"""What an answer is owed for: a frame, a frame that had an endpoint in it, or `eof` and `reset`."""


class VoskServer(ServerDialect):
    path = "/"
    sample_rate_hz = 8_000
    endpoint_s = 0.5
    max_segment_s = 20.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._config: dict[str, Any] = {}
        self._has_begun = False
        self._is_cut = False
        self._is_last = False
        self._owed: deque[Answer] = deque()
        self._rest: list[RecognisedSegment] = []

    def on_message(self, message: Message) -> Iterator[ServerAction]:
        if isinstance(message, str) and "config" in message:
            yield from self._configure(message)
        elif message in (EOF, RESET):
            self._has_begun = True
            self._is_last = message == EOF
            self._owed.append("rest")
            yield Flush()
        elif isinstance(message, str):
            yield _INTERNAL_ERROR
        else:
            yield from self._on_audio(message)

    def _configure(self, message: str) -> Iterator[ServerAction]:
        try:
            config = json.loads(message)["config"]
            rate_hz = int(float(config.get("sample_rate", self.sample_rate_hz)))
        except (ValueError, KeyError, TypeError, AttributeError):
            yield _INTERNAL_ERROR
            return
        if not self._has_begun:  # the recogniser is made with the first audio, once
            self._config |= config
            self.sample_rate_hz = rate_hz
            yield DiscardAudio()

    def _on_audio(self, message: bytes) -> Iterator[ServerAction]:
        self._has_begun, self._is_cut = True, False
        yield FeedAudio(message[: len(message) // 2 * 2])
        self._owed.append("text" if self._is_cut else "partial")
        yield from self._answer_frames()

    def on_segment(self) -> Sequence[ServerAction]:
        self._is_cut = True
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        if self._owed[0] == "rest":
            self._rest.append(recognised)
            return ()
        self._owed.popleft()
        return (SendMessage(_result([recognised], self._config)), *self._answer_frames())

    def on_flushed(self) -> Sequence[ServerAction]:
        self._owed.popleft()
        segments, self._rest = self._rest, []
        result = SendMessage(_result(segments, self._config))
        return (result, Close(1000)) if self._is_last else (result, *self._answer_frames())

    def _answer_frames(self) -> Iterator[ServerAction]:
        """Answers the frames that came before the next text that is owed."""
        while self._owed and self._owed[0] == "partial":
            self._owed.popleft()
            yield SendMessage(json.dumps({"partial": ""}, indent=2))


def _result(segments: Sequence[RecognisedSegment], config: Mapping[str, Any]) -> str:
    text = " ".join(segment.text for segment in segments)
    if config.get("max_alternatives"):
        return json.dumps({"alternatives": [{"confidence": 1.0, "text": text}]}, indent=2)
    words = [word for segment in segments for word in _words(segment)] if config.get("words", True) else []
    return json.dumps({"result": words, "text": text} if words else {"text": text}, indent=2)


def _words(segment: RecognisedSegment) -> Iterator[dict[str, object]]:
    """The words of a segment. Their times are a guess: all words are taken to be equally long."""
    words = segment.text.split()
    each_s = (segment.end_s - segment.start_s) / max(1, len(words))
    for number, word in enumerate(words):
        start_s = segment.start_s + number * each_s
        yield {"conf": 1.0, "end": round(start_s + each_s, 3), "start": round(start_s, 3), "word": word}

"""vosk-server, as `stt_load/dialects/vosk.py` describes it: its strict words, its rate, one answer a frame.

As there, one thing is done after the other: while a piece is being recognised, the frames behind it wait for their
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
    Doing,
    Flush,
    Forget,
    Hear,
    Recognised,
    Say,
    ServerDialect,
    UpgradeRequest,
)

EOF = '{"eof" : 1}'
RESET = '{"reset" : 1}'
_INTERNAL_ERROR = Close(1011, "internal error")

Answer = Literal["partial", "text", "rest"]
"""Of a frame, of a frame that had an endpoint in it, of `eof` and `reset`."""


class VoskServer(ServerDialect):
    path = "/"
    sample_rate_hz = 8_000
    endpoint_s = 0.5
    max_piece_s = 20.0

    def __init__(self, door: UpgradeRequest) -> None:
        super().__init__(door)
        self._config: dict[str, Any] = {}
        self._has_begun = False
        self._is_cut = False
        self._is_last = False
        self._owed: deque[Answer] = deque()
        self._rest: list[Recognised] = []

    def on_message(self, message: Message) -> Iterator[Doing]:
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
            yield from self._hear(message)

    def _configure(self, message: str) -> Iterator[Doing]:
        try:
            config = json.loads(message)["config"]
            rate_hz = int(float(config.get("sample_rate", self.sample_rate_hz)))
        except (ValueError, KeyError, TypeError, AttributeError):
            yield _INTERNAL_ERROR
            return
        if not self._has_begun:  # the recogniser is made with the first audio, once
            self._config |= config
            self.sample_rate_hz = rate_hz
            yield Forget()

    def _hear(self, message: bytes) -> Iterator[Doing]:
        self._has_begun, self._is_cut = True, False
        yield Hear(message[: len(message) // 2 * 2])
        self._owed.append("text" if self._is_cut else "partial")
        yield from self._answer_frames()

    def on_cut(self) -> Sequence[Doing]:
        self._is_cut = True
        return ()

    def on_text(self, recognised: Recognised) -> Sequence[Doing]:
        if self._owed[0] == "rest":
            self._rest.append(recognised)
            return ()
        self._owed.popleft()
        return (Say(_result([recognised], self._config)), *self._answer_frames())

    def on_flushed(self) -> Sequence[Doing]:
        self._owed.popleft()
        pieces, self._rest = self._rest, []
        told = Say(_result(pieces, self._config))
        return (told, Close(1000)) if self._is_last else (told, *self._answer_frames())

    def _answer_frames(self) -> Iterator[Doing]:
        """Those before the next text that is owed."""
        while self._owed and self._owed[0] == "partial":
            self._owed.popleft()
            yield Say(json.dumps({"partial": ""}, indent=2))


def _result(pieces: Sequence[Recognised], config: Mapping[str, Any]) -> str:
    text = " ".join(piece.text for piece in pieces)
    if config.get("max_alternatives"):
        return json.dumps({"alternatives": [{"confidence": 1.0, "text": text}]}, indent=2)
    words = [word for piece in pieces for word in _words(piece)] if config.get("words", True) else []
    return json.dumps({"result": words, "text": text} if words else {"text": text}, indent=2)


def _words(piece: Recognised) -> Iterator[dict[str, object]]:
    """Where they lie is a guess: as long as each other."""
    words = piece.text.split()
    each_s = (piece.end_s - piece.start_s) / max(1, len(words))
    for number, word in enumerate(words):
        start_s = piece.start_s + number * each_s
        yield {"conf": 1.0, "end": round(start_s + each_s, 3), "start": round(start_s, 3), "word": word}

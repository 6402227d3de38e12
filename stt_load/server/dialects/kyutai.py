"""Kyutai's `/api/asr-streaming`, as `stt_load/dialects/kyutai.py` describes it: the 1B model's server.

Words are sent half a second of audio after they were spoken, and not before the recogniser has them: until then the
steps wait, as they do in a server that is behind. `Marker` waits for a number of steps of all callers together, so with
several callers it comes back before the last words. An audio message of more than one step is stepped through at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stt_load.dialects.events import Message
from stt_load.dialects.kyutai import NO_SLOT, STEP_S, STEP_SAMPLES, pack, unpack
from stt_load.errors import ProtocolError
from stt_load.server.server_dialect import (
    Abort,
    Close,
    ConnectionAction,
    FeedAudio,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)

DELAY_STEPS = 6
_STEP_BYTES = 2 * STEP_SAMPLES


@dataclass
class Model:
    """The state that all callers of a server share. `steps`: how many it has made for all of them."""

    steps: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start_s: float
    stop_s: float


class KyutaiServer(ServerDialect):
    path = "/api/asr-streaming"
    sample_rate_hz = 24_000
    model: ClassVar[Model] = Model()

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._rest = b""  # audio that is no whole step yet
        self._received_steps = 0
        self._made_steps = 0
        self._segments_owed = 0
        self._words: deque[Word] = deque()
        self._markers: deque[tuple[int, int]] = deque()  # (the model's step at which it is due, its id)

    def refuse(self) -> UpgradeRefusal | None:
        key = self.request.headers.get("kyutai-api-key", self.request.query.get("auth_id"))
        return None if self.request.key in (None, key) else UpgradeRefusal(401)

    def on_full(self) -> Sequence[ConnectionAction]:
        return (_message("Error", message=NO_SLOT), Close())

    def on_open(self) -> Sequence[ServerAction]:
        return (_message("Ready"),)

    def on_message(self, message: Message) -> Sequence[ServerAction]:
        if isinstance(message, str):
            return ()
        try:
            body = unpack(message)
            match body.get("type"):
                case "Audio":
                    return self._on_audio(_as_int16(body.get("pcm")))
                case "Marker":
                    backlog = self._received_steps - self._made_steps
                    self._markers.append((self.model.steps + backlog + DELAY_STEPS, _as_int(body.get("id"))))
                    return ()
        except ProtocolError:
            pass
        return (Abort(),)

    def on_segment(self) -> Sequence[ServerAction]:
        self._segments_owed += 1
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._segments_owed -= 1
        texts = recognised.text.split()
        each_s = (recognised.end_s - recognised.start_s) / max(1, len(texts))
        for number, text in enumerate(texts):
            start_s = recognised.start_s + number * each_s
            self._words.append(Word(text, start_s, start_s + each_s))
        return [*self._due_words(), *self._steps()]

    def _on_audio(self, pcm: bytes) -> Sequence[ServerAction]:
        data = self._rest + pcm
        n_steps = len(data) // _STEP_BYTES
        whole, self._rest = data[: n_steps * _STEP_BYTES], data[n_steps * _STEP_BYTES :]
        self._received_steps += n_steps
        return [FeedAudio(whole), *self._steps()] if whole else []

    def _steps(self) -> list[ServerAction]:
        """Makes as many steps as there is audio for, while no text is owed."""
        actions: list[ServerAction] = []
        while self._made_steps < self._received_steps and not self._segments_owed:
            self._made_steps += 1
            self.model.steps += 1
            waiting = (self._received_steps - self._made_steps) * STEP_SAMPLES
            actions.append(_message("Step", step_idx=self.model.steps, prs=[0.0] * 4, buffered_pcm=waiting))
            actions += self._due_words()
            while self._markers and self._markers[0][0] <= self.model.steps:
                actions.append(_message("Marker", id=self._markers.popleft()[1]))
        return actions

    def _due_words(self) -> list[ServerAction]:
        actions: list[ServerAction] = []
        while self._words and self._words[0].stop_s <= (self._made_steps - DELAY_STEPS) * STEP_S:
            word = self._words.popleft()
            actions.append(_message("Word", text=word.text, start_time=round(word.start_s, 2)))
            actions.append(_message("EndWord", stop_time=round(word.stop_s, 2)))
        return actions


def _message(kind: str, **fields: object) -> SendMessage:
    return SendMessage(pack({"type": kind, **fields}))


def _as_int16(pcm: object) -> bytes:
    try:
        floats = np.asarray(pcm, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ProtocolError("pcm is not a list of numbers") from error
    return (floats * 32_768).round().clip(-32_768, 32_767).astype("<i2").tobytes()


def _as_int(value: object) -> int:
    if not isinstance(value, int):
        raise ProtocolError("id is not a whole number")
    return value

"""FunASR's realtime_ws, as `stt_load/dialects/funasr_realtime.py` describes it; `?endpoint_mode=client` for COMMIT.

As there, one thing is done after the other: a result that falls due while a sentence is being recognised waits for it.
Two differences: there are no partials, and the silence that locks a sentence is always 2 s.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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

FIRST_RESULT_S = 0.48
RESULT_S = 0.96


class FunAsrRealtimeServer(ServerDialect):
    path = "/"
    max_segment_s = 60.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._is_client_endpoint = request.query.get("endpoint_mode") == "client"
        self.endpoint_s = None if self._is_client_endpoint else 2.0
        self._commands: Mapping[str, Callable[[], Sequence[ServerAction]]] = {
            "START": self._start,
            "STOP": self._stop,
            "COMMIT": self._commit,
        }
        self._is_active = False
        self._sentences: list[Mapping[str, object]] = []
        self._received_s = 0.0
        self._next_result_s = FIRST_RESULT_S
        self._sentences_owed = 0
        self._result_waits = False
        self._flushes: deque[str] = deque()  # the command behind each flush that is not done yet

    def on_message(self, message: Message) -> Iterable[ServerAction]:
        if isinstance(message, bytes):
            return self._on_audio(message)
        command, _, value = message.strip().partition(":")
        if command.upper() == "LANGUAGE":
            return (_message({"event": "language_set", "language": value.strip()}),)
        if command.upper() == "HOTWORDS":
            hotwords = [word.strip() for word in value.split(",") if word.strip()]
            return (_message({"event": "hotwords_set", "hotwords": hotwords}),)
        obey = self._commands.get(command.upper())
        return obey() if obey is not None else ()

    def on_segment(self) -> Sequence[ServerAction]:
        self._sentences_owed += 1
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        if recognised.text:
            start_ms, end_ms = round(1000 * recognised.start_s), round(1000 * recognised.end_s)
            self._sentences.append({"text": recognised.text, "start": start_ms, "end": end_ms})
        return self._on_sentence()

    def on_flushed(self) -> Sequence[ServerAction]:
        result = self._result(is_final=True)
        if self._flushes.popleft() == "STOP":
            return (result, _message({"event": "stopped"}))
        self._sentences = []
        return (result,)

    def on_failed(self) -> Sequence[ServerAction]:
        return self._on_sentence()

    def _on_sentence(self) -> Sequence[ServerAction]:
        self._sentences_owed -= 1
        if not self._result_waits or self._sentences_owed:
            return ()
        self._result_waits = False
        return (self._result(is_final=False),)

    def _on_audio(self, pcm: bytes) -> Iterator[ServerAction]:
        if not self._is_active:
            return
        if len(pcm) % 2:
            yield Close()
            return
        self._received_s += len(pcm) / 2 / self.sample_rate_hz
        yield FeedAudio(pcm)
        if self._received_s < self._next_result_s:
            return
        self._next_result_s = self._received_s + RESULT_S
        if self._sentences_owed:
            self._result_waits = True
        else:
            yield self._result(is_final=False)

    def _start(self) -> Sequence[ServerAction]:
        self._is_active = True
        self._sentences = []
        self._received_s = 0.0
        self._next_result_s = FIRST_RESULT_S
        self._result_waits = False
        return (DiscardAudio(), _message({"event": "started"}))

    def _stop(self) -> Sequence[ServerAction]:
        has_audio = self._is_active and self._received_s > 0
        self._is_active = False
        if not has_audio:
            return (_message({"event": "stopped"}),)
        self._flushes.append("STOP")
        return (Flush(),)

    def _commit(self) -> Sequence[ServerAction]:
        if not self._is_client_endpoint:
            return (_message({"event": "error", "error": "COMMIT requires --endpoint-mode client"}),)
        if not self._is_active:
            return (_message({"event": "error", "error": "Session is not active; send START first"}),)
        self._flushes.append("COMMIT")
        return (Flush(),)

    def _result(self, is_final: bool) -> SendMessage:
        received_ms = round(1000 * self._received_s)
        return _message(
            {
                "sentences": self._sentences,
                "partial": "",
                "partial_start_ms": 0 if is_final else received_ms,
                "duration_ms": received_ms,
                "is_final": is_final,
            }
        )


def _message(body: Mapping[str, object]) -> SendMessage:
    return SendMessage(json.dumps(body, ensure_ascii=False))

"""sherpa-onnx's streaming servers, as `stt_load/dialects/sherpa_onnx.py` describes them: Python's, or with
`?server=cpp` the C++ one.

One message after every decoding step of 320 ms, changed or not. The recogniser has no partials: a segment's text comes
at its endpoint or after `Done`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.wire import as_int16
from stt_load.server.server_dialect import (
    Close,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRequest,
)

_STEP_SAMPLES = 5_120
_SAMPLE_BYTES = 4
_INTERNAL_ERROR = Close(1011, "internal error")


class SherpaOnnxServer(ServerDialect):
    path = "/"
    endpoint_s = 1.2
    max_segment_s = 20.0

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._is_cpp = request.query.get("server") == "cpp"
        self._is_done = False
        self._n_samples = 0  # samples since the last step
        self._n_endpoints = 0  # endpoints whose text is owed
        self._segment = 0
        self._text = ""  # text of the present segment

    def on_message(self, message: Message) -> Iterator[ServerAction]:
        if self._is_done:
            return
        if isinstance(message, bytes):
            yield from self._on_audio(message)
        elif message == "Done":
            self._is_done = True
            yield Flush()
        elif not self._is_cpp:
            yield _INTERNAL_ERROR

    def _on_audio(self, message: bytes) -> Iterator[ServerAction]:
        n_samples, n_over = divmod(len(message), _SAMPLE_BYTES)
        if n_over and not self._is_cpp:
            yield _INTERNAL_ERROR
            return
        yield FeedAudio(as_int16(message[: n_samples * _SAMPLE_BYTES]))
        n_steps, self._n_samples = divmod(self._n_samples + n_samples, _STEP_SAMPLES)
        for _ in range(n_steps):
            yield self._message()

    def on_segment(self) -> Sequence[ServerAction]:
        self._n_endpoints += not self._is_done
        return ()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._text = f"{self._text} {recognised.text}".strip()
        if not self._n_endpoints:
            return ()
        self._n_endpoints -= 1
        result = self._message(is_final=True)
        # The C++ server numbers only segments with words in them.
        self._segment += bool(self._text) or not self._is_cpp
        self._text = ""
        return (result,)

    def on_flushed(self) -> Sequence[ServerAction]:
        result = self._message(is_final=True, is_eof=True)
        return (result, SendMessage("Done!")) if self._is_cpp else (result, Close(1000))

    def _message(self, is_final: bool = False, is_eof: bool = False) -> SendMessage:
        if not self._is_cpp:
            return SendMessage(json.dumps({"text": self._text, "segment": self._segment}))
        result = {
            "text": self._text,
            "tokens": self._text.split(),
            "timestamps": [],
            "ys_probs": [],
            "lm_probs": [],
            "context_scores": [],
            "segment": self._segment,
            "words": [],
            "start_time": 0.0,
            "is_final": is_final,
            "is_eof": is_eof,
        }
        return SendMessage(json.dumps(result))

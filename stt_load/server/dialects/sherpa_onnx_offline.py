"""sherpa-onnx's non-streaming servers, as `stt_load/dialects/sherpa_onnx_offline.py` describes them: Python's, or with
`?server=cpp` the C++ one."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Sequence

from stt_load.dialects.events import Message
from stt_load.dialects.wire import as_int16
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

_HEADER_BYTES = 8
_CPP_LONGEST_S = 300
_RATES_HZ = range(1_000, 400_000)  # anything else is audio that was taken for a header
_INTERNAL_ERROR = Close(1011, "internal error")


class SherpaOnnxOfflineServer(ServerDialect):
    path = "/"
    endpoint_s = None
    max_segment_s = math.inf

    def __init__(self, request: UpgradeRequest) -> None:
        super().__init__(request)
        self._is_cpp = request.query.get("server") == "cpp"
        self._expected_bytes: int | None = None
        self._received = bytearray()
        self._texts: list[str] = []

    def on_message(self, message: Message) -> Iterator[ServerAction]:
        if isinstance(message, str):
            yield from self._on_word(message)
        elif self._expected_bytes is None:
            yield from self._on_header(message)
        else:
            yield from self._on_audio(message)

    def _on_word(self, message: str) -> Iterator[ServerAction]:
        if self._is_cpp:
            yield Close(1000, "Done" if message == "Done" else "Invalid payload")
        elif self._expected_bytes is not None:
            yield from self._on_audio(message.encode())  # swallowed
        else:
            yield Close(1000) if message == "Done" else _INTERNAL_ERROR

    def _on_header(self, message: bytes) -> Iterator[ServerAction]:
        if len(message) < _HEADER_BYTES:
            yield Close(1000, "Payload is too short") if self._is_cpp else _INTERNAL_ERROR
            return
        self.sample_rate_hz, self._expected_bytes = struct.unpack_from("<ii", message)
        if self.sample_rate_hz not in _RATES_HZ:
            yield _INTERNAL_ERROR
            return
        if self._is_cpp and self._expected_bytes > 4 * self.sample_rate_hz * _CPP_LONGEST_S:
            yield Close(1009, "Payload is too large!")
            return
        yield DiscardAudio()
        yield from self._on_audio(message[_HEADER_BYTES:])

    def _on_audio(self, message: bytes) -> Iterator[ServerAction]:
        self._received += message
        expected_bytes = self._expected_bytes or 0
        if len(self._received) < expected_bytes:
            return
        audio, self._received, self._expected_bytes = bytes(self._received), bytearray(), None
        if len(audio) > expected_bytes or len(audio) % 4:
            yield _INTERNAL_ERROR
            return
        yield FeedAudio(as_int16(audio))
        yield Flush()

    def on_text(self, recognised: RecognisedSegment) -> Sequence[ServerAction]:
        self._texts.append(recognised.text)
        return ()

    def on_flushed(self) -> Sequence[ServerAction]:
        text, self._texts = " ".join(filter(None, self._texts)), []
        if not self._is_cpp:
            return (SendMessage(text or "<EMPTY>"),)
        result = {"lang": "", "emotion": "", "event": "", "text": text, "timestamps": [], "durations": [], "tokens": []}
        return (SendMessage(json.dumps(result | {"ys_log_probs": [], "words": []})),)

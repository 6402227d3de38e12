"""The dialects that are no websockets, in front of the embedded recogniser: each bridge hears an utterance to its end,
uploads it as a file, and answers with the text, as most models behind these protocols do.

    caller ─ Wyoming, gRPC ─▶ bridge ─ POST /v1/audio/transcriptions ─▶ stt-load serve
"""

from __future__ import annotations

import io
import sys
import wave
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import requests
from wyoming.asr import Transcript
from wyoming.event import Event

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers.riva_messages import SERVICE, Request, Response
from servers.wyoming_server import Heard, wyoming_server

_TIMEOUT_S = 60.0
_MOST_CALLERS = 64


@contextmanager
def wyoming_bridge(http_url: str) -> Iterator[str]:
    """The URL of a Wyoming server in front of the recogniser at `http_url`."""

    def answer(heard: Heard) -> list[Event]:
        (rate_hz,) = heard.rates_hz
        return [Transcript(text=_recognised(http_url, heard.audio, rate_hz)).event()]

    with wyoming_server(answer) as server:
        yield server.url


@contextmanager
def riva_bridge(http_url: str) -> Iterator[str]:
    """The URL of a gRPC server with Riva's messages in front of the recogniser at `http_url`."""

    def streaming_recognize(messages: Iterator[Any], _: object) -> Iterator[Any]:
        rate_hz = next(messages).streaming_config.config.sample_rate_hertz
        audio = b"".join(message.audio_content for message in messages)
        response = Response()
        result = response.results.add(is_final=True)
        result.alternatives.add(transcript=_recognised(http_url, audio, rate_hz))
        yield response

    method = grpc.stream_stream_rpc_method_handler(
        streaming_recognize, Request.FromString, lambda response: response.SerializeToString()
    )
    server = grpc.server(futures.ThreadPoolExecutor(_MOST_CALLERS))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"StreamingRecognize": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None).wait(_TIMEOUT_S)


BRIDGES: Mapping[str, Callable[[str], AbstractContextManager[str]]] = {
    "riva-grpc": riva_bridge,
    "wyoming": wyoming_bridge,
}
"""The bridge of each dialect: it takes the URL of the embedded recogniser, and gives that of its own server."""


def _recognised(http_url: str, pcm: bytes, rate_hz: int) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setparams((1, 2, rate_hz, 0, "NONE", ""))
        audio.writeframes(pcm)
    answer = requests.post(
        f"{http_url}/v1/audio/transcriptions", files={"file": ("utterance.wav", file.getvalue())}, timeout=_TIMEOUT_S
    )
    answer.raise_for_status()
    text: str = answer.json()["text"]
    return text

"""The embedded TTS server, made as slow as a model and as faulty as asked for.

    python -m servers.slow_tts --port 0 [--rtf 0.2] [--ignores-stream] [--parallel] [--first-fails N]

What it has in common with Chatterbox-TTS-Server beyond its routes:

- It speaks in its event loop: while it does, nobody is answered. k requests at a time take k times as long, and the
  rest of a finished file waits for other requests' speech. `--parallel` makes it a server that does them side by side.
- A finished file goes out line by line, as Starlette streams any file: thousands of chunks, no content-length.
- `--ignores-stream`: it sends finished files whatever is asked for, as servers before May 2026.

`GET /requests` tells what it was asked for.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import click
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from stt_load.audio.clip import PcmArray
from stt_load.audio.resample import resample
from stt_load.clips.espeak import speak
from stt_load.errors import ConfigError
from stt_load.server.embedded_tts import EmbeddedTts
from stt_load.server.http_server import serve
from stt_load.server.listener import open_listener, run_command, url_of
from stt_load.server.speech_files import RATE_HZ
from stt_load.server.tts_requests import SpeechRefused, SpeechRequest

_WORD_S = 0.35


class SlowTts(EmbeddedTts):
    """The embedded TTS server with an engine that takes `rtf` seconds for a second of speech."""

    def __init__(self, rtf: float, is_parallel: bool, ignores_stream: bool, failures_left: int) -> None:
        super().__init__(max_requests=1_000)
        self._rtf = rtf
        self._is_parallel = is_parallel
        self._ignores_stream = ignores_stream
        self._failures_left = failures_left
        self._requests: list[dict[str, Any]] = []
        self.http.routes.append(Route("/requests", self._answer_requests))

    async def synthesise(self, text: str, voice: str) -> PcmArray:
        begun_s = time.monotonic()
        if self._failures_left:
            self._failures_left -= 1
            raise SpeechRefused(500, "TTS engine failed to synthesize audio")
        samples = espeak_or_tone(text)
        left_s = max(0.0, self._rtf * len(samples) / RATE_HZ - (time.monotonic() - begun_s))
        if self._is_parallel:
            await asyncio.sleep(left_s)
        else:
            time.sleep(left_s)  # in the event loop, as the original does
        return samples

    def read(self, path: str, body: object) -> SpeechRequest:
        self._requests.append({"path": path, "body": body})
        speech = super().read(path, body)
        return replace(speech, wants_stream=False, wants_events=False) if self._ignores_stream else speech

    def file_response(self, data: bytes, media_type: str) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            for line in io.BytesIO(data):
                yield line
                await asyncio.sleep(0)  # others get their turn between two chunks

        return StreamingResponse(lines(), media_type=media_type)

    async def _answer_requests(self, _: Request) -> Response:
        return JSONResponse(self._requests)


@lru_cache(maxsize=256)
def espeak_or_tone(text: str) -> PcmArray:
    """int16, shape (n_samples,), mono, RATE_HZ: a tone as long as the words where espeak is not installed."""
    try:
        spoken = speak(text, "en-us")
    except ConfigError:
        times_s = np.arange(round(len(text.split()) * _WORD_S * RATE_HZ)) / RATE_HZ
        tone: PcmArray = (8_000 * np.sin(2 * np.pi * 220.0 * times_s)).astype(np.int16)
        return tone
    return resample(spoken.samples, spoken.sample_rate_hz, RATE_HZ)


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--rtf", default=0.2, help="Seconds that a second of speech takes.")
@click.option("--parallel", is_flag=True, help="Requests side by side, each as fast as alone.")
@click.option("--ignores-stream", is_flag=True, help="Whole files only, whatever is asked for.")
@click.option("--first-fails", default=0, help="So many chunks of speech fail with HTTP 500 first.")
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(
    host: str, port: int, rtf: float, parallel: bool, ignores_stream: bool, first_fails: int, exit_with_parent: bool
) -> None:
    listener = open_listener(host, port)
    app = SlowTts(rtf, parallel, ignores_stream, first_fails)
    asyncio.run(serve(app, listener, url_of(listener, "http"), exit_with_parent))


if __name__ == "__main__":
    run_command(command)

"""The embedded TTS server: espeak behind the routes of Chatterbox-TTS-Server and of OpenAI.

POST /tts                  Chatterbox: JSON in; a WAV stream with "stream": true, else a file (wav, opus, mp3)
POST /v1/audio/speech      OpenAI: JSON in; a stream (wav, pcm), events with "stream_format": "sse", or a file (opus,
                           mp3, flac)
GET  /healthz              {"ready", "requests", "max_requests"}
GET  /api/model-info, /v1/audio/voices

It synthesises a text in chunks of whole sentences, one chunk at a time for all requests, and streams each chunk as it
gets ready. Voice, format, streaming and the size of chunks are heeded; speed, temperature and the like are not.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from stt_load.audio.clip import PcmArray
from stt_load.audio.resample import resample
from stt_load.clips.espeak import espeak_version, speak
from stt_load.errors import ConfigError
from stt_load.server.http_server import serve
from stt_load.server.listener import open_listener, url_of
from stt_load.server.speech_files import MEDIA_TYPES, RATE_HZ, wav_header, whole_file
from stt_load.server.tts_requests import ESPEAK_VOICES, PATHS, SpeechRefused, SpeechRequest, read_request


class EmbeddedTts:
    """The ASGI application. `max_requests` at the same time, 503 beyond; `api_key`: None lets everybody in."""

    def __init__(self, max_requests: int, api_key: str | None = None) -> None:
        self._max_requests = max_requests
        self._api_key = api_key
        self._n_requests = 0
        self.http = Starlette(
            routes=[
                *(Route(path, self._answer_speech, methods=["POST"]) for path in PATHS),
                Route("/healthz", self._answer_health),
                Route("/api/model-info", self._answer_model_info),
                Route("/v1/audio/voices", self._answer_voices),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.http(scope, receive, send)

    async def synthesise(self, text: str, voice: str) -> PcmArray:
        """int16, shape (n_samples,), mono, RATE_HZ. `voice`: one of ESPEAK_VOICES. espeak itself speaks one text at a
        time; meanwhile the event loop is free."""

        def spoken() -> PcmArray:
            pcm = speak(text, ESPEAK_VOICES[voice])
            return resample(pcm.samples, pcm.sample_rate_hz, RATE_HZ)

        return await asyncio.to_thread(spoken)

    def read(self, path: str, body: object) -> SpeechRequest:
        """What is asked for. Raises SpeechRefused."""
        return read_request(path, body)

    def file_response(self, data: bytes, media_type: str) -> Response:
        """A finished file, with its length."""
        return Response(data, media_type=media_type)

    async def _answer_speech(self, request: Request) -> Response:
        if self._api_key is not None and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return JSONResponse({"detail": "invalid API key"}, 401)
        if self._n_requests >= self._max_requests:
            return JSONResponse({"detail": "full"}, 503)
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = None
        try:
            speech = self.read(request.url.path, body)
            parts = self._parts(speech)
            first = await anext(parts)
        except (SpeechRefused, ConfigError) as error:
            refusal = error if isinstance(error, SpeechRefused) else SpeechRefused(500, str(error))
            return JSONResponse({"detail": refusal.detail}, refusal.status)
        if speech.wants_events:
            return StreamingResponse(_events(first, parts), media_type="text/event-stream")
        media_type = MEDIA_TYPES[speech.format]
        if not speech.is_streamed:
            await parts.aclose()
            return self.file_response(first, media_type)
        return StreamingResponse(_chained(first, parts), media_type=media_type)

    async def _parts(self, speech: SpeechRequest) -> AsyncGenerator[bytes, None]:
        """The bytes of the answer as they get ready: one part for a finished file, else the header and each chunk."""
        self._n_requests += 1
        try:
            if not speech.is_streamed:
                chunks = [await self.synthesise(text, speech.voice) for text in speech.chunks]
                yield whole_file(np.concatenate(chunks), speech.format)
                return
            if speech.format == "wav":
                yield wav_header(None)
            for text in speech.chunks:
                yield (await self.synthesise(text, speech.voice)).tobytes()
        finally:
            self._n_requests -= 1

    async def _answer_health(self, _: Request) -> Response:
        return JSONResponse({"ready": True, "requests": self._n_requests, "max_requests": self._max_requests})

    async def _answer_model_info(self, _: Request) -> Response:
        return JSONResponse({"loaded": True, "type": "espeak", "sample_rate": RATE_HZ})

    async def _answer_voices(self, _: Request) -> Response:
        return JSONResponse({"voices": list(ESPEAK_VOICES)})


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for part in rest:
            yield part


async def _events(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """OpenAI's server-sent events: audio in base64, then the end."""
    async for part in _chained(first, rest):
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(part).decode()})
    yield _event({"type": "speech.audio.done"})


def _event(event: dict[str, str]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def run_tts(host: str, port: int, max_requests: int, api_key: str | None, exit_with_parent: bool) -> None:
    """Runs until an ending signal. Raises ConfigError before anything was started."""
    espeak_version()
    listener = open_listener(host, port)
    asyncio.run(serve(EmbeddedTts(max_requests, api_key), listener, url_of(listener, "http"), exit_with_parent))

"""The upload APIs that `stt_load/uploads/apis.py` names, in front of the recogniser of the websockets: whole files in,
transcripts out, with the quirks of the servers that are stood in for.

    POST /v1/audio/transcriptions    json, verbose_json, text; streamed as ?shape=openai, vllm, speaches, whisperlive,
                                     segments, text
    POST /api/v1/transcribe          TingWu: one request after the other
    POST /api/v1/trans/video         the same shape
    POST /api/v1/asr                 TingWu in the shape of the Whisper web service
    POST /transcribe                 Parakeet: 500 where `should_chunk` is left at its default

With ?timings=1 an answer in JSON says how long recognition took, in `timings_ms`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from stt_load.audio.codec import decode
from stt_load.audio.resample import resample
from stt_load.errors import ClipError
from stt_load.server.decoder_pool import DecoderLost
from stt_load.server.server_dialect import RecognisedSegment
from stt_load.server.server_session import Recogniser
from stt_load.server.timings import Timings
from stt_load.server.upload_answers import (
    SHAPES,
    asr_answer,
    parakeet_answer,
    refused,
    tingwu_answer,
    transcription,
)
from stt_load.server.vad import SAMPLE_RATE_HZ, Vad

_MAX_BODY_BYTES = 64 << 20
_ENDPOINT_S = 0.25
_MAX_SEGMENT_S = 8.0
_FORMATS = ("json", "verbose_json", "text")


@dataclass(frozen=True, slots=True)
class UploadedAudio:
    """A request whose file was read. `fields`: the other fields of its form. `pcm`: int16 mono 16 kHz."""

    request: Request
    fields: dict[str, str]
    pcm: bytes

    @property
    def audio_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE_HZ

    @property
    def wants_timings(self) -> bool:
        return self.request.query_params.get("timings", "0") not in ("0", "")


class UploadRoutes:
    """The routes of one server that take files. `is_ready` is asked for each request; `max_uploads` are answered at the
    same time, and 503 is the answer beyond."""

    def __init__(
        self,
        recogniser: Recogniser,
        timings: Timings,
        max_uploads: int,
        api_key: str | None,
        is_ready: Callable[[], bool],
    ) -> None:
        self._recogniser = recogniser
        self._timings = timings
        self._max_uploads = max_uploads
        self._api_key = api_key
        self._is_ready = is_ready
        self._n_uploads = 0
        self._tingwu_lock = asyncio.Lock()
        self._apis: dict[str, Callable[[UploadedAudio], Awaitable[Response]]] = {
            "/v1/audio/transcriptions": self._openai,
            "/api/v1/transcribe": self._tingwu,
            "/api/v1/trans/video": self._tingwu,
            "/api/v1/asr": self._tingwu_asr,
            "/transcribe": self._parakeet,
        }

    async def answer(self, request: Request) -> Response:
        """Answers any POST."""
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        try:
            upload = await _read(request)
        except ClipError as error:
            return refused(400, f"the file can't be read: {error}")
        if upload is None:
            missing = {"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": None}
            return JSONResponse({"detail": [missing]}, 422)
        if self._n_uploads >= self._max_uploads:
            return refused(503, "full")
        with self._counted():
            try:
                return await self._apis[request.url.path](upload)
            except DecoderLost as error:
                return refused(500, str(error))

    def _refuse(self, request: Request) -> Response | None:
        """Refuses a request whose body need not be read."""
        if request.url.path not in self._apis:
            return refused(404, f"files are taken at {', '.join(self._apis)}")
        headers = request.headers
        shown = (headers.get("authorization", "").removeprefix("Bearer "), headers.get("x-api-key"))
        if self._api_key is not None and self._api_key not in shown:
            return refused(401, "invalid API key")
        if not self._is_ready() or self._n_uploads >= self._max_uploads:
            return refused(503, "full" if self._is_ready() else "not ready")
        length = headers.get("content-length")
        if length is None:
            return refused(411, "a Content-Length is needed")
        return refused(413, "too large") if int(length) > _MAX_BODY_BYTES else None

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._n_uploads += 1
        try:
            yield
        finally:
            self._n_uploads -= 1

    # the APIs ------------------------------------------------------------------------------------------

    async def _openai(self, upload: UploadedAudio) -> Response:
        form = upload.fields.get("response_format", "json")
        if form not in _FORMATS:
            return refused(400, f"response_format {form!r} is not supported")
        if upload.fields.get("stream", "false").lower() != "true":
            segments = await self._all_segments(upload)
            return transcription(form, segments, upload.audio_s, upload.wants_timings)
        shape = SHAPES.get(upload.request.query_params.get("shape", "openai"))
        if shape is None:
            return refused(400, f"shape is one of {', '.join(SHAPES)}")
        events = self._streamed(shape(self._recognise(upload)))
        return StreamingResponse(events, media_type="text/event-stream")

    async def _tingwu(self, upload: UploadedAudio) -> Response:
        try:
            json.loads(upload.fields.get("asr_options", "{}"))
        except ValueError:
            return refused(400, "asr_options must be valid JSON")
        async with self._tingwu_lock:
            return tingwu_answer(await self._all_segments(upload), upload.wants_timings)

    async def _tingwu_asr(self, upload: UploadedAudio) -> Response:
        async with self._tingwu_lock:
            return asr_answer(await self._all_segments(upload))

    async def _parakeet(self, upload: UploadedAudio) -> Response:
        if upload.fields.get("should_chunk", "true").lower() != "false":
            return PlainTextResponse("Internal Server Error", 500)
        return parakeet_answer(await self._all_segments(upload), upload.wants_timings)

    # recognition ---------------------------------------------------------------------------------------

    async def _streamed(self, parts: AsyncIterator[str]) -> AsyncGenerator[str, None]:
        """A streamed answer counts as an upload until it is complete. A failure then ends it with an error event."""
        with self._counted():
            try:
                async for part in parts:
                    yield part
            except DecoderLost as error:
                yield f"data: {json.dumps({'error': {'message': str(error)}})}\n\n"

    async def _all_segments(self, upload: UploadedAudio) -> Sequence[RecognisedSegment]:
        return [segment async for segment in self._recognise(upload)]

    async def _recognise(self, upload: UploadedAudio) -> AsyncIterator[RecognisedSegment]:
        """Yields segment by segment, in the order of speech; all of them wait for a decoder at once."""
        vad = Vad(_ENDPOINT_S, _MAX_SEGMENT_S)
        segments = [segment for segment in (*vad.feed(upload.pcm), vad.flush()) if segment is not None]
        decodings = [(segment, self._recogniser.submit(segment.pcm)) for segment in segments]
        try:
            for segment, decoding in decodings:
                decoded = await decoding
                times_ms: dict[str, float] = {"queue": decoded.queue_ms, "decode": decoded.decode_ms}
                self._timings.add(times_ms, segment.audio_s)
                yield RecognisedSegment(decoded.text, segment.start_s, segment.end_s, times_ms)
        finally:
            for _, decoding in decodings:
                decoding.cancel()


async def _read(request: Request) -> UploadedAudio | None:
    """Reads the form; None where there is no file in it. Raises ClipError where the file is not audio."""
    try:
        async with request.form() as form:
            fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            content = await files[0].read() if files else None
    except HTTPException:  # no form that can be read
        return None
    if content is None:
        return None
    audio = decode(content)
    pcm = resample(audio.samples, audio.sample_rate_hz, SAMPLE_RATE_HZ).tobytes()
    return UploadedAudio(request, fields, pcm)

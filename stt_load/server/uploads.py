"""The upload APIs that `stt_load/uploads/apis.py` names, answered by the same recogniser as the websockets: whole
files in, transcripts out, with the manners of the servers that it stands in for.

    POST /v1/audio/transcriptions    json, verbose_json, text; streamed as ?shape=openai, vllm, speaches, whisperlive
    POST /api/v1/transcribe          TingWu: one after the other, whoever asks
    POST /api/v1/trans/video         the same shape
    POST /api/v1/asr                 TingWu in the shape of the Whisper web service
    POST /transcribe                 Parakeet: 500 where `should_chunk` is left at its default

With ?timings=1 an answer in JSON says what recognising took, in `timings_ms`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

from stt_load.audio.codec import decode
from stt_load.audio.resample import resample
from stt_load.errors import ClipError
from stt_load.server.embedded_server import Recogniser
from stt_load.server.pool import DecoderLost
from stt_load.server.posts import Post, Reply
from stt_load.server.timings import Timings
from stt_load.server.upload_answers import (
    SHAPES,
    Heard,
    asr_answer,
    parakeet_answer,
    refused,
    tingwu_answer,
    transcription,
)
from stt_load.server.vad import SAMPLE_RATE_HZ, Vad

_ENDPOINT_S = 0.25
_MAX_PIECE_S = 8.0
_FORMATS = ("json", "verbose_json", "text")


class Uploads:
    """All uploads of one server. `is_ready`: asked for each; `max_uploads`: at the same time, 503 beyond."""

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
        self._turn = asyncio.Lock()
        self._paths: dict[str, Callable[[Post, bytes], Awaitable[Reply]]] = {
            "/v1/audio/transcriptions": self._openai,
            "/api/v1/transcribe": self._tingwu,
            "/api/v1/trans/video": self._tingwu,
            "/api/v1/asr": self._tingwu_asr,
            "/transcribe": self._parakeet,
        }

    async def answer(self, post: Post) -> Reply:
        refusal = self._refuse(post)
        if refusal is not None:
            return refusal
        assert post.file is not None
        try:
            audio = decode(post.file)
        except ClipError as error:
            return refused(400, f"the file can't be read: {error}")
        pcm = resample(audio.samples, audio.sample_rate_hz, SAMPLE_RATE_HZ).tobytes()
        self._n_uploads += 1
        try:
            return await self._paths[post.path](post, pcm)
        except DecoderLost as error:
            return refused(500, str(error))
        finally:
            self._n_uploads -= 1

    def _refuse(self, post: Post) -> Reply | None:
        if post.path not in self._paths:
            return refused(404, f"uploads are welcome at {', '.join(self._paths)}")
        shown = (post.headers.get("authorization", "").removeprefix("Bearer "), post.headers.get("x-api-key"))
        if self._api_key is not None and self._api_key not in shown:
            return refused(401, "invalid API key")
        if not self._is_ready() or self._n_uploads >= self._max_uploads:
            return refused(503, "full" if self._is_ready() else "not ready")
        if post.file is None:
            missing = {"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": None}
            return Reply(422, json.dumps({"detail": [missing]}))
        return None

    # the APIs ------------------------------------------------------------------------------------------

    async def _openai(self, post: Post, pcm: bytes) -> Reply:
        form = post.fields.get("response_format", "json")
        if form not in _FORMATS:
            return refused(400, f"response_format {form!r} is not supported")
        if post.fields.get("stream", "false").lower() != "true":
            heard = [segment async for segment in self._recognise(pcm)]
            return transcription(form, heard, len(pcm) / 2 / SAMPLE_RATE_HZ, _wants_timings(post))
        shape = SHAPES.get(post.query.get("shape", "openai"))
        if shape is None:
            return refused(400, f"shape is one of {', '.join(SHAPES)}")
        return Reply(200, self._counted(shape(self._recognise(pcm))), "text/event-stream; charset=utf-8")

    async def _tingwu(self, post: Post, pcm: bytes) -> Reply:
        try:
            json.loads(post.fields.get("asr_options", "{}"))
        except ValueError:
            return refused(400, "asr_options must be valid JSON")
        return tingwu_answer(await self._in_turn(pcm), _wants_timings(post))

    async def _tingwu_asr(self, post: Post, pcm: bytes) -> Reply:
        return asr_answer(await self._in_turn(pcm))

    async def _parakeet(self, post: Post, pcm: bytes) -> Reply:
        if post.fields.get("should_chunk", "true").lower() != "false":
            return Reply(500, "Internal Server Error", "text/plain; charset=utf-8")
        return parakeet_answer([segment async for segment in self._recognise(pcm)], _wants_timings(post))

    # recognising ---------------------------------------------------------------------------------------

    async def _in_turn(self, pcm: bytes) -> Sequence[Heard]:
        async with self._turn:
            return [segment async for segment in self._recognise(pcm)]

    async def _counted(self, parts: AsyncIterator[str]) -> AsyncGenerator[str, None]:
        """A streamed answer takes its place until it is complete. A failure then ends it with an error event."""
        self._n_uploads += 1
        try:
            async for part in parts:
                yield part
        except DecoderLost as error:
            yield f"data: {json.dumps({'error': {'message': str(error)}})}\n\n"
        finally:
            self._n_uploads -= 1

    async def _recognise(self, pcm: bytes) -> AsyncIterator[Heard]:
        """SpeechSegment by segment, in the order of speech; all of them wait for a decoder at once."""
        vad = Vad(_ENDPOINT_S, _MAX_PIECE_S)
        segments = [segment for segment in (*vad.feed(pcm), vad.flush()) if segment is not None]
        decodings = [(segment, self._recogniser.submit(segment.pcm)) for segment in segments]
        try:
            for segment, decoding in decodings:
                decoded = await decoding
                times_ms: dict[str, float] = {"queue": decoded.queue_ms, "decode": decoded.decode_ms}
                self._timings.add(times_ms, segment.audio_s)
                yield Heard(decoded.text, segment.start_s, segment.start_s + segment.audio_s, times_ms)
        finally:
            for _, decoding in decodings:
                decoding.cancel()


def _wants_timings(post: Post) -> bool:
    return post.query.get("timings", "0") not in ("0", "")

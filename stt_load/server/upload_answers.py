"""How the servers behind upload APIs write a transcript: recognised segments in, HTTP responses out.

Sources: those of `stt_load/uploads/apis.py` and `stt_load/uploads/event_reader.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from stt_load.server.server_dialect import RecognisedSegment


def refused(status: int, why: str) -> Response:
    """An error in FastAPI's form and in OpenAI's at once."""
    return JSONResponse({"detail": why, "error": {"message": why, "type": "invalid_request_error"}}, status)


def text_of(segments: Sequence[RecognisedSegment]) -> str:
    return " ".join(segment.text for segment in segments if segment.text)


def transcription(form: str, segments: Sequence[RecognisedSegment], audio_s: float, with_timings: bool) -> Response:
    text = text_of(segments)
    if form == "text":
        return PlainTextResponse(text + "\n")
    body: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": round(audio_s)}}
    if form == "verbose_json":
        rows = [
            {
                "id": index,
                "start": round(segment.start_s, 3),
                "end": round(segment.end_s, 3),
                "text": f" {segment.text}",
            }
            for index, segment in enumerate(segments)
        ]
        body |= {"task": "transcribe", "language": "english", "duration": round(audio_s, 3), "segments": rows}
    return _timed(body, segments, with_timings)


def tingwu_answer(segments: Sequence[RecognisedSegment], with_timings: bool) -> Response:
    sentences = [
        {
            "text": segment.text,
            "start": round(1000 * segment.start_s),
            "end": round(1000 * segment.end_s),
            "speaker": None,
        }
        for segment in segments
    ]
    text = text_of(segments)
    body = {"code": 0, "text": text, "sentences": sentences, "transcript": None, "raw_text": text}
    return _timed(body, segments, with_timings)


def asr_answer(segments: Sequence[RecognisedSegment]) -> Response:
    rows = [
        {
            "sentence_index": index,
            "text": segment.text,
            "start": _clock(segment.start_s),
            "end": _clock(segment.end_s),
            "speaker": "speaker1",
        }
        for index, segment in enumerate(segments, 1)
    ]
    return JSONResponse({"text": text_of(segments), "segments": rows, "language": "zh"})


def parakeet_answer(segments: Sequence[RecognisedSegment], with_timings: bool) -> Response:
    return _timed({"text": text_of(segments), "timestamps": None}, segments, with_timings)


def _timed(body: dict[str, Any], segments: Sequence[RecognisedSegment], with_timings: bool) -> Response:
    if with_timings:
        names = dict.fromkeys(name for segment in segments for name in segment.times_ms)
        body["timings_ms"] = {name: round(sum(p.times_ms.get(name, 0.0) for p in segments), 3) for name in names}
    return JSONResponse(body)


def _clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"


# server-sent events --------------------------------------------------------------------------------------


async def _openai_events(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    whole = ""
    async for delta in _deltas(segments):
        whole += delta
        yield _event({"type": "transcript.text.delta", "delta": delta})
    yield _event({"type": "transcript.text.done", "text": whole})


async def _vllm_events(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    async for delta in _deltas(segments):
        yield _event({"object": "transcription.chunk", "choices": [{"delta": {"content": delta}}]})
    yield _event({"object": "transcription.chunk", "choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]})
    yield "data: [DONE]\n\n"


async def _speaches_events(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    """The text of `done` is empty, as it is there: the deltas have used up the segments."""
    async for segment in segments:
        yield _event({"type": "transcript.text.delta", "delta": f" {segment.text}", "logprobs": None})
    yield _event({"type": "transcript.text.done", "text": "", "logprobs": None})


async def _segment_events(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    async for segment in segments:
        yield _event({"text": segment.text})


async def _text_events(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    async for segment in segments:
        yield f"data:  {segment.text}\n\n"


async def _whisperlive_events(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    index = 0
    async for segment in segments:
        yield _event({"id": index, "start": segment.start_s, "end": segment.end_s, "text": f" {segment.text}"})
        index += 1
    yield "data: [DONE]\n\n"


async def _deltas(segments: AsyncIterator[RecognisedSegment]) -> AsyncIterator[str]:
    """Yields word by word, as language models do: the blank belongs to the next word."""
    blank = ""
    async for segment in segments:
        for word in segment.text.split():
            yield blank + word
            blank = " "


def _event(body: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(body)}\n\n"


SHAPES: dict[str, Callable[[AsyncIterator[RecognisedSegment]], AsyncIterator[str]]] = {
    "openai": _openai_events,
    "vllm": _vllm_events,
    "speaches": _speaches_events,
    "segments": _segment_events,  # speaches until 2025
    "text": _text_events,  # the same, asked for response_format=text
    "whisperlive": _whisperlive_events,
}

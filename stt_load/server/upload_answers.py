"""How the servers behind upload APIs say a transcript: values in, answers out.

Sources: those of `stt_load/uploads/apis.py` and `stt_load/uploads/event_reader.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.server.posts import Reply


@dataclass(frozen=True, slots=True)
class Heard:
    """One segment. `start_s`, `end_s`: where it lies in the file. `times_ms`: what recognising it took."""

    text: str
    start_s: float
    end_s: float
    times_ms: Mapping[str, float]


def refused(status: int, why: str) -> Reply:
    """As FastAPI says it, and OpenAI."""
    return Reply(status, json.dumps({"detail": why, "error": {"message": why, "type": "invalid_request_error"}}))


def text_of(heard: Sequence[Heard]) -> str:
    return " ".join(segment.text for segment in heard if segment.text)


def transcription(form: str, heard: Sequence[Heard], audio_s: float, with_timings: bool) -> Reply:
    text = text_of(heard)
    if form == "text":
        return Reply(200, text + "\n", "text/plain; charset=utf-8")
    body: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": round(audio_s)}}
    if form == "verbose_json":
        segments = [
            {
                "id": index,
                "start": round(segment.start_s, 3),
                "end": round(segment.end_s, 3),
                "text": f" {segment.text}",
            }
            for index, segment in enumerate(heard)
        ]
        body |= {"task": "transcribe", "language": "english", "duration": round(audio_s, 3), "segments": segments}
    return _timed(body, heard, with_timings)


def tingwu_answer(heard: Sequence[Heard], with_timings: bool) -> Reply:
    sentences = [
        {
            "text": segment.text,
            "start": round(1000 * segment.start_s),
            "end": round(1000 * segment.end_s),
            "speaker": None,
        }
        for segment in heard
    ]
    text = text_of(heard)
    body = {"code": 0, "text": text, "sentences": sentences, "transcript": None, "raw_text": text}
    return _timed(body, heard, with_timings)


def asr_answer(heard: Sequence[Heard]) -> Reply:
    segments = [
        {
            "sentence_index": index,
            "text": segment.text,
            "start": _clock(segment.start_s),
            "end": _clock(segment.end_s),
            "speaker": "speaker1",
        }
        for index, segment in enumerate(heard, 1)
    ]
    return Reply(200, json.dumps({"text": text_of(heard), "segments": segments, "language": "zh"}))


def parakeet_answer(heard: Sequence[Heard], with_timings: bool) -> Reply:
    return _timed({"text": text_of(heard), "timestamps": None}, heard, with_timings)


def _timed(body: dict[str, Any], heard: Sequence[Heard], with_timings: bool) -> Reply:
    if with_timings:
        names = dict.fromkeys(name for segment in heard for name in segment.times_ms)
        body["timings_ms"] = {name: round(sum(p.times_ms.get(name, 0.0) for p in heard), 3) for name in names}
    return Reply(200, json.dumps(body))


def _clock(seconds: float) -> str:
    whole, milliseconds = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"


# server-sent events --------------------------------------------------------------------------------------


async def _openai_events(heard: AsyncIterator[Heard]) -> AsyncIterator[str]:
    whole = ""
    async for delta in _deltas(heard):
        whole += delta
        yield _event({"type": "transcript.text.delta", "delta": delta})
    yield _event({"type": "transcript.text.done", "text": whole})


async def _vllm_events(heard: AsyncIterator[Heard]) -> AsyncIterator[str]:
    async for delta in _deltas(heard):
        yield _event({"object": "transcription.chunk", "choices": [{"delta": {"content": delta}}]})
    yield _event({"object": "transcription.chunk", "choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]})
    yield "data: [DONE]\n\n"


async def _speaches_events(heard: AsyncIterator[Heard]) -> AsyncIterator[str]:
    async for segment in heard:
        yield _event({"text": segment.text})


async def _whisperlive_events(heard: AsyncIterator[Heard]) -> AsyncIterator[str]:
    index = 0
    async for segment in heard:
        yield _event({"id": index, "start": segment.start_s, "end": segment.end_s, "text": f" {segment.text}"})
        index += 1
    yield "data: [DONE]\n\n"


async def _deltas(heard: AsyncIterator[Heard]) -> AsyncIterator[str]:
    """Word by word, as language models say it: the blank belongs to the next word."""
    blank = ""
    async for segment in heard:
        for word in segment.text.split():
            yield blank + word
            blank = " "


def _event(body: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(body)}\n\n"


SHAPES: dict[str, Callable[[AsyncIterator[Heard]], AsyncIterator[str]]] = {
    "openai": _openai_events,
    "vllm": _vllm_events,
    "speaches": _speaches_events,
    "whisperlive": _whisperlive_events,
}

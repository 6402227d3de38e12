"""A stand-in for TTS servers: real speech, the times and the manners of the real ones.

    python -m stt_load.server.tts --port 0 [--rtf 0.2] [--ignores-stream] [--parallel] [--first-fails N]

`POST /tts` as Chatterbox-TTS-Server has it, `POST /v1/audio/speech` as OpenAI, `GET /api/model-info`, and
`GET /requests`: what it was asked, for tests. What it has in common with Chatterbox:

- It speaks in its event loop: while it does, nobody is answered. k requests at a time take k times as long, and the
  rest of a finished file waits for other people's speech. `--parallel` makes it a server that does them side by side.
- A finished file goes out line by line, as Starlette sends any file: thousands of chunks, no content-length.
- A stream has 0xFFFFFFFF for every size in its WAV header. `--ignores-stream`: it is asked for in vain.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import numpy as np

from stt_load.audio.clip import PcmArray
from stt_load.server.frontend import told_to_stop
from stt_load.server.listener import open_listener, run_command
from stt_load.server.tts_requests import PATHS, VOICES, Refused, SpeechRequest, read_request
from stt_load.server.tts_voice import MEDIA_TYPES, RATE_HZ, voice, wav_header, whole_file

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 422: "Unprocessable Entity", 500: "Internal Server Error"}
_PATIENCE_S = 10.0
_LARGEST_BODY_BYTES = 1024 * 1024


@dataclass
class Engine:
    """`rtf`: seconds that a second of speech takes."""

    rtf: float = 0.2
    is_parallel: bool = False
    ignores_stream: bool = False
    failures_left: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def synthesise(self, text: str) -> PcmArray:
        begun_s = time.monotonic()
        if self.failures_left:
            self.failures_left -= 1
            raise Refused(500, "TTS engine failed to synthesize audio")
        samples = voice(text)
        left_s = max(0.0, self.rtf * len(samples) / RATE_HZ - (time.monotonic() - begun_s))
        if self.is_parallel:
            await asyncio.sleep(left_s)
        else:
            time.sleep(left_s)  # in the event loop, as the original does
        return samples

    async def audio(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """Pieces of the answer as they get ready."""
        is_streamed = request.wants_stream and request.format in ("wav", "pcm") and not self.ignores_stream
        if is_streamed and request.format == "wav":
            yield wav_header(None)
        whole = []
        for text in request.pieces:
            samples = await self.synthesise(text)
            if is_streamed:
                yield samples.tobytes()
            whole.append(samples)
        if not is_streamed:
            yield whole_file(np.concatenate(whole), request.format)


class Exchange:
    """One connection, one request."""

    def __init__(self, engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._engine = engine
        self._reader = reader
        self._writer = writer

    async def run(self) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            method, path, body = await asyncio.wait_for(self._read(), _PATIENCE_S)
            await (self._speak(path, body) if method == "POST" and path in PATHS else self._tell(path))
        self._writer.close()

    async def _read(self) -> tuple[str, str, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.splitlines()
        method, path, *_ = [*first.split(), "", ""]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        n_bytes = min(int(headers.get("content-length", "0")), _LARGEST_BODY_BYTES)
        return method, path.partition("?")[0], await self._reader.readexactly(n_bytes)

    async def _speak(self, path: str, body: bytes) -> None:
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        self._engine.requests.append({"path": path, "body": content})
        try:
            request = read_request(path, content)
            pieces = self._engine.audio(request)
            first = await anext(pieces)
        except Refused as refusal:
            self._send_json(refusal.status, {"detail": refusal.detail})
            return
        is_sse = request.wants_events and not self._engine.ignores_stream
        self._send_head("text/event-stream" if is_sse else MEDIA_TYPES[request.format])
        await self._send_piece(first, is_sse)
        try:
            async for piece in pieces:
                await self._send_piece(piece, is_sse)
        except Refused:  # too late for a status: the answer has no end
            return
        if is_sse:
            await self._send_chunk(_event({"type": "speech.audio.done"}))
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def _tell(self, path: str) -> None:
        told = {
            "/api/model-info": {"loaded": True, "type": "stand-in", "sample_rate": RATE_HZ},
            "/v1/audio/voices": {"voices": list(VOICES)},
            "/requests": self._engine.requests,
        }
        found = told.get(path)
        self._send_json(404 if found is None else 200, {"detail": "Not Found"} if found is None else found)
        await self._writer.drain()

    async def _send_piece(self, piece: bytes, is_sse: bool) -> None:
        chunks = [_event(_delta(piece))] if is_sse else _lines(piece)
        for chunk in chunks:
            await self._send_chunk(chunk)

    async def _send_chunk(self, chunk: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await self._writer.drain()
        await asyncio.sleep(0)  # others get their turn between two chunks

    def _send_head(self, content_type: str) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
        self._writer.write(f"{head}\r\n".encode())

    def _send_json(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)


def _lines(piece: bytes) -> Iterator[bytes]:
    return iter(io.BytesIO(piece))


def _delta(piece: bytes) -> dict[str, str]:
    return {"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}


def _event(event: dict[str, str]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


async def serve(engine: Engine, host: str, port: int, exit_with_parent: bool) -> None:
    listener = open_listener(host, port)
    stop = told_to_stop(exit_with_parent)
    server = await asyncio.start_server(lambda r, w: Exchange(engine, r, w).run(), sock=listener)
    with contextlib.suppress(BrokenPipeError):
        print(f"listening on http://{host}:{listener.getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--rtf", default=0.2, help="Seconds that a second of speech takes.")
@click.option("--parallel", is_flag=True, help="Requests side by side, each as fast as alone.")
@click.option("--ignores-stream", is_flag=True, help="Whole files only, whatever is asked for.")
@click.option("--first-fails", default=0, help="So many pieces of speech fail with HTTP 500 first.")
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(
    host: str, port: int, rtf: float, parallel: bool, ignores_stream: bool, first_fails: int, exit_with_parent: bool
) -> None:
    asyncio.run(serve(Engine(rtf, parallel, ignores_stream, first_fails), host, port, exit_with_parent))


if __name__ == "__main__":
    run_command(command)

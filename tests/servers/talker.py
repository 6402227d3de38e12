"""A server that converses over OpenAI Realtime, late and deaf by known amounts. It understands nothing.

    python -m servers.talker --port 0 [--protocol ga|beta] [--first S] [--answer S] [--stops-after S] [--truth FILE]

Its events are those of OpenAI's documents (developers.openai.com, server events): `session.created`, `session.updated`,
`input_audio_buffer.speech_started`, `.speech_stopped`, `.committed`, `response.created`, the audio deltas in the words
of its protocol, `response.done` with its status. With `turn_detection` null it answers `response.create`; with
`server_vad` it hears a caller by level, after 0.1 s of speech, and the end after `silence_duration_ms`.

The first audio of an answer comes `--first` seconds after it was asked for, then a chunk of 0.1 s every 0.1 s ×
`--rtf`, with a pause of `--stall` seconds once there are `--stall-at` seconds. A caller who breaks in stops it
`--stops-after` seconds after the server was told, or heard it; `--deaf` never. `--eager`: it answers a caller who has
only just begun. `--truth` gets a line of JSON for each answer: when the last loud frame had come, when the server was
told to stop, and when each chunk was sent, monotonic seconds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from servers.script import loud_span
from stt_load.server.http_server import serve
from stt_load.server.listener import open_listener, run_command, url_of

PATH = "/v1/realtime"
CHUNK_S = 0.1
_HEARS_AFTER_S = 0.1
_AUDIO = {"ga": "response.output_audio", "beta": "response.audio"}


@dataclass(frozen=True, slots=True)
class Manner:
    """How the server converses; as the options of the same names."""

    protocol: str
    first_s: float
    answer_s: float
    rtf: float
    stall_at_s: float
    stall_s: float
    stops_after_s: float
    is_deaf: bool
    is_eager: bool
    fails: bool


@dataclass(slots=True)
class Truth:
    """What the server heard and did in one answer."""

    last_loud_s: float | None = None
    told_to_stop_s: float | None = None
    chunks: list[float] = field(default_factory=list)
    done_s: float | None = None


class Talk:
    """One connection."""

    def __init__(self, websocket: WebSocket, manner: Manner, truth: Path | None) -> None:
        self._websocket = websocket
        self._manner = manner
        self._truth_file = truth
        self._rate_hz = 24_000
        self._silence_s: float | None = None  # of the turn detection; None: the client ends turns
        self._loud_s = self._quiet_s = 0.0
        self._is_speaking = False  # the caller
        self._last_loud_s: float | None = None
        self._n_answers = 0
        self._answering: asyncio.Task[None] | None = None
        self._truth = Truth()

    async def run(self) -> None:
        await self._websocket.accept()
        await self._send("session.created", session={"id": "sess_1"})
        try:
            while True:
                await self._take(json.loads(await self._websocket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            if self._answering is not None:
                self._answering.cancel()

    async def _take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                await self._configure(event["session"])
            case "input_audio_buffer.append":
                await self._hear(base64.b64decode(event["audio"]))
            case "input_audio_buffer.commit":
                await self._send("input_audio_buffer.committed", item_id="item_1")
            case "response.create":
                self._answer()
            case "response.cancel" if self._answering is None or self._answering.done():
                await self._error("Cancellation failed: no active response found", "response_cancel_not_active")
            case "response.cancel":
                self._interrupt()

    async def _configure(self, session: dict[str, Any]) -> None:
        is_ga = session.get("type") == "realtime"
        if is_ga is not (self._manner.protocol == "ga"):
            await self._error("Unknown parameter: 'session.type'", "unknown_parameter")
            return
        heard = session["audio"]["input"] if is_ga else session
        self._rate_hz = heard["format"]["rate"] if is_ga else 24_000
        detection = heard["turn_detection"]
        self._silence_s = None if detection is None else detection["silence_duration_ms"] / 1_000
        await self._send("session.updated", session=session)

    async def _hear(self, pcm: bytes) -> None:
        length_s = len(pcm) / 2 / self._rate_hz
        if loud_span(pcm) is None:
            self._quiet_s, self._loud_s = self._quiet_s + length_s, 0.0
        else:
            self._quiet_s, self._loud_s = 0.0, self._loud_s + length_s
            self._last_loud_s = time.monotonic()
        if self._silence_s is None:
            return
        if not self._is_speaking and self._loud_s >= _HEARS_AFTER_S:
            self._is_speaking = True
            if self._manner.is_deaf and self._n_answers:
                return
            await self._send("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_1")
            self._interrupt()
            if self._manner.is_eager and not self._n_answers:
                self._answer()
        elif self._is_speaking and self._quiet_s >= self._silence_s:
            self._is_speaking = False
            await self._send("input_audio_buffer.speech_stopped", audio_end_ms=0, item_id="item_1")
            await self._send("input_audio_buffer.committed", item_id="item_1")
            self._answer()

    def _interrupt(self) -> None:
        """The answer ends in a while."""
        answering = self._answering
        if answering is None or answering.done() or self._manner.is_deaf:
            return
        self._truth.told_to_stop_s = self._truth.told_to_stop_s or time.monotonic()
        asyncio.get_running_loop().call_later(self._manner.stops_after_s, answering.cancel)

    def _answer(self) -> None:
        self._n_answers += 1
        self._truth = Truth(self._last_loud_s)
        self._answering = asyncio.ensure_future(self._speak(f"resp_{self._n_answers}", self._truth))

    async def _speak(self, name: str, truth: Truth) -> None:
        await self._send("response.created", response={"id": name, "status": "in_progress"})
        status = "failed" if self._manner.fails else "completed"
        try:
            await asyncio.sleep(self._manner.first_s)
            if not self._manner.fails:
                await self._send_chunks(name, truth)
        except asyncio.CancelledError:
            status = "cancelled"
        truth.done_s = time.monotonic()
        details = {"error": {"code": "server_busy", "message": "no room"}} if status == "failed" else None
        await self._send("response.done", response={"id": name, "status": status, "status_details": details})
        if self._truth_file is not None:
            with self._truth_file.open("a") as file:
                told = {"last_loud_s": truth.last_loud_s, "told_to_stop_s": truth.told_to_stop_s}
                file.write(json.dumps({**told, "chunks": truth.chunks, "done_s": truth.done_s}) + "\n")

    async def _send_chunks(self, name: str, truth: Truth) -> None:
        manner, kind = self._manner, _AUDIO[self._manner.protocol]
        chunk = base64.b64encode(b"\x01\x00" * round(CHUNK_S * self._rate_hz)).decode()
        due_s = time.monotonic()
        for number in range(round(manner.answer_s / CHUNK_S)):
            due_s += CHUNK_S * manner.rtf if number else 0.0
            if manner.stall_s and number == round(manner.stall_at_s / CHUNK_S):
                due_s += manner.stall_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            truth.chunks.append(time.monotonic())
            await self._send(f"{kind}.delta", response_id=name, item_id="item_2", delta=chunk)
        await self._send(f"{kind}.done", response_id=name, item_id="item_2")

    async def _error(self, message: str, code: str) -> None:
        await self._send("error", error={"type": "invalid_request_error", "code": code, "message": message})

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._websocket.send_text(json.dumps({"type": kind, "event_id": "event_1", **fields}))


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--protocol", type=click.Choice(["ga", "beta"]), default="ga")
@click.option("--first", "first_s", default=0.2, help="Seconds from the request for an answer to its first audio.")
@click.option("--answer", "answer_s", default=1.0, help="Seconds of audio in an answer.")
@click.option("--rtf", default=0.5, help="Seconds that a second of the answer takes, after the first chunk.")
@click.option("--stall-at", "stall_at_s", default=0.0, help="Seconds of the answer before the pause.")
@click.option("--stall", "stall_s", default=0.0, help="How long the pause is.")
@click.option("--stops-after", "stops_after_s", default=0.0, help="Seconds from the interruption to its end.")
@click.option("--deaf", "is_deaf", is_flag=True, help="It never stops for a caller who breaks in.")
@click.option("--eager", "is_eager", is_flag=True, help="It answers before the caller has finished, too.")
@click.option("--fails", is_flag=True, help="No answer can be made.")
@click.option("--truth", type=click.Path(path_type=Path))
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(host: str, port: int, truth: Path | None, exit_with_parent: bool, **manner: Any) -> None:
    async def answer(websocket: WebSocket) -> None:
        await Talk(websocket, Manner(**manner), truth).run()

    listener = open_listener(host, port)
    app = Starlette(routes=[WebSocketRoute(PATH, answer)])
    asyncio.run(serve(app, listener, url_of(listener, "ws", PATH), exit_with_parent))


if __name__ == "__main__":
    run_command(command)

"""A voice agent behind a telephone, late and deaf by known amounts, that Twilio or Asterisk would call. It understands
nothing.

    python -m servers.phone_agent --port 0 --line twilio|audiosocket [--first S] [--answer S] [--truth FILE]

It hears a caller by level: that it speaks after 0.1 s of it, and that it has finished after `--silence` seconds of
quiet. An answer is one 0.1 s after the other over Twilio, as soon as `--rtf` lets it, with a mark behind it; the agent
takes the caller to hear it until that mark comes back. Over AudioSocket it is 20 ms after the other at the pace of
speech, and silence is sent as long as there is no answer. A caller who breaks in is heard, and `--stops-after` seconds
later the answer stops, with a `clear` over Twilio; `--deaf` never.

What it sends and takes follows pipecat's `TwilioFrameSerializer` and CyCoreSystems/audiosocket (see the dialects).
`--truth` gets a line of JSON for each answer: when the last loud frame had come, when the first audio was sent, when
the agent was told to stop, and when it had, monotonic seconds.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from servers.script import loud_span
from stt_load.audio.line_codecs import MULAW
from stt_load.server.http_server import serve
from stt_load.server.listener import announce, open_listener, run_command, url_of
from stt_load.server.stop_event import stop_event

PATH = "/media-stream"
RATE_HZ = 8_000
_HEARS_AFTER_S = 0.1


@dataclass(frozen=True, slots=True)
class Manner:
    """How the agent converses; as the options of the same names."""

    first_s: float
    answer_s: float
    greeting_s: float
    silence_s: float
    rtf: float
    stops_after_s: float
    is_deaf: bool


@dataclass(slots=True)
class Truth:
    """What the agent heard and did in one answer."""

    last_loud_s: float | None = None
    first_sent_s: float | None = None
    told_to_stop_s: float | None = None
    ended_s: float | None = None


class Agent(ABC):
    """One call. A line sends and takes in its own way."""

    piece_s: float  # what is sent at a time

    def __init__(self, manner: Manner, truth: Path | None) -> None:
        self._manner = manner
        self._truth_file = truth
        self._truth = Truth()
        self._loud_s = self._quiet_s = 0.0
        self._is_speaking = False  # the caller
        self._last_loud_s: float | None = None
        self._is_audible = False  # the agent
        self._answering: asyncio.Task[None] | None = None

    @abstractmethod
    async def send(self, pcm: bytes) -> None: ...

    @abstractmethod
    async def be_heard(self) -> None:
        """Waits until the caller has heard all that was sent."""

    @abstractmethod
    async def clear(self) -> None:
        """Takes back what the caller has not heard."""

    def greet(self) -> None:
        if self._manner.greeting_s:
            self._answering = asyncio.ensure_future(self._speak(self._manner.greeting_s, 0.0, Truth(), None))

    def hear(self, pcm: bytes) -> None:
        length_s = len(pcm) / 2 / RATE_HZ
        if loud_span(pcm) is None:
            self._quiet_s, self._loud_s = self._quiet_s + length_s, 0.0
        else:
            self._quiet_s, self._loud_s = 0.0, self._loud_s + length_s
            self._last_loud_s = time.monotonic()
        if not self._is_speaking and self._loud_s >= _HEARS_AFTER_S - 1e-9:
            self._is_speaking = True
            self._interrupt()
        elif self._is_speaking and self._quiet_s >= self._manner.silence_s - 1e-9:
            self._is_speaking = False
            self.hang_up()
            self._truth = Truth(self._last_loud_s)
            speak = self._speak(self._manner.answer_s, self._manner.first_s, self._truth, self._truth_file)
            self._answering = asyncio.ensure_future(speak)

    def hang_up(self) -> None:
        if self._answering is not None:
            self._answering.cancel()

    def _interrupt(self) -> None:
        """The answer ends in a while."""
        answering = self._answering
        if answering is not None and not answering.done() and not self._manner.is_deaf:
            self._truth.told_to_stop_s = time.monotonic()
            asyncio.get_running_loop().call_later(self._manner.stops_after_s, answering.cancel)

    async def _speak(self, length_s: float, first_s: float, truth: Truth, file: Path | None) -> None:
        piece = np.resize(np.array([8_000, -8_000], "<i2"), round(self.piece_s * RATE_HZ)).tobytes()
        try:
            await asyncio.sleep(first_s)
            self._is_audible, due_s = True, time.monotonic()
            truth.first_sent_s = due_s
            for _ in range(round(length_s / self.piece_s)):
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await self.send(piece)
                due_s += self.piece_s * self._manner.rtf
            await self.be_heard()
        except asyncio.CancelledError:
            await self.clear()
        self._is_audible, truth.ended_s = False, time.monotonic()
        if file is not None:
            with file.open("a") as out:
                out.write(json.dumps(asdict(truth)) + "\n")


class TwilioAgent(Agent):
    """A call that Twilio makes."""

    piece_s = 0.1

    def __init__(self, websocket: WebSocket, *manner: Any) -> None:
        super().__init__(*manner)
        self._websocket = websocket
        self._stream = ""
        self._played = asyncio.Event()

    async def run(self) -> None:
        await self._websocket.accept()
        try:
            while True:
                self._take(json.loads(await self._websocket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            self.hang_up()

    def _take(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "start":
                self._stream = message["streamSid"]
                self.greet()
            case "media":
                self.hear(MULAW.decode(base64.b64decode(message["media"]["payload"])).tobytes())
            case "mark":
                assert message["streamSid"] == self._stream
                self._played.set()

    async def send(self, pcm: bytes) -> None:
        payload = base64.b64encode(MULAW.encode(np.frombuffer(pcm, "<i2"))).decode()
        await self._say("media", media={"payload": payload})

    async def be_heard(self) -> None:
        self._played.clear()
        await self._say("mark", mark={"name": "end of the answer"})
        await self._played.wait()

    async def clear(self) -> None:
        await self._say("clear")

    async def _say(self, event: str, **body: Any) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the caller has hung up
            await self._websocket.send_text(json.dumps({"event": event, "streamSid": self._stream, **body}))


class AudioSocketAgent(Agent):
    """A call that Asterisk makes."""

    piece_s = 0.02

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *manner: Any) -> None:
        super().__init__(*manner)
        self._reader = reader
        self._writer = writer

    async def run(self) -> None:
        comforting = asyncio.ensure_future(self._comfort())
        try:
            while True:
                kind, length = struct.unpack("!BH", await self._reader.readexactly(3))
                data = await self._reader.readexactly(length)
                if kind == 0x01:
                    assert len(data) == 16
                    self.greet()
                elif kind == 0x10:
                    self.hear(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            comforting.cancel()
            self.hang_up()
            self._writer.close()

    async def send(self, pcm: bytes) -> None:
        self._writer.write(struct.pack("!BH", 0x10, len(pcm)) + pcm)

    async def be_heard(self) -> None:
        """It is, with the next frame."""

    async def clear(self) -> None:
        """Nothing is left to be heard."""

    async def _comfort(self) -> None:
        """Silence, as long as nothing is said."""
        due_s = time.monotonic()
        while True:
            due_s += self.piece_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            if not self._is_audible:
                await self.send(bytes(round(2 * self.piece_s * RATE_HZ)))


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--line", type=click.Choice(["twilio", "audiosocket"]), required=True)
@click.option("--first", "first_s", default=0.2, help="Seconds from the end of the caller's turn to the first audio.")
@click.option("--answer", "answer_s", default=1.0, help="Seconds of audio in an answer.")
@click.option("--greeting", "greeting_s", default=0.0, help="Seconds of audio before the caller says anything.")
@click.option("--silence", "silence_s", default=0.5, help="Seconds of quiet that end the caller's turn.")
@click.option("--rtf", default=1.0, help="Seconds that a second of the answer takes.")
@click.option("--stops-after", "stops_after_s", default=0.0, help="Seconds from the interruption to its end.")
@click.option("--deaf", "is_deaf", is_flag=True, help="It never stops for a caller who breaks in.")
@click.option("--truth", type=click.Path(path_type=Path))
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(host: str, port: int, line: str, truth: Path | None, exit_with_parent: bool, **manner: Any) -> None:
    listener = open_listener(host, port)

    async def answer_websocket(websocket: WebSocket) -> None:
        await TwilioAgent(websocket, Manner(**manner), truth).run()

    async def answer_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await AudioSocketAgent(reader, writer, Manner(**manner), truth).run()

    async def serve_sockets() -> None:
        stop = stop_event(exit_with_parent)
        await asyncio.start_server(answer_socket, sock=listener)
        announce(url_of(listener, "tcp"))
        await stop.wait()

    if line == "audiosocket":
        asyncio.run(serve_sockets())
        return
    app = Starlette(routes=[WebSocketRoute(PATH, answer_websocket)])
    asyncio.run(serve(app, listener, url_of(listener, "ws", PATH), exit_with_parent))


if __name__ == "__main__":
    run_command(command)

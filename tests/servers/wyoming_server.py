"""A server of the package `wyoming`, in a thread: it hears utterances as wyoming-faster-whisper 3.8.1 does, and answers
with texts that the test gives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.server import AsyncEventHandler, AsyncTcpServer

PATIENCE_S = 60.0


@dataclass
class Heard:
    """One utterance as the server received it. `kinds`: the types of all its events, one after the other."""

    language: str | None = None
    rates_hz: set[int] = field(default_factory=set)
    audio: bytes = b""
    kinds: list[str] = field(default_factory=list)


Answer = Callable[[Heard], Sequence[Event]]
"""What is answered to a whole utterance."""


def one_transcript(text: str) -> Answer:
    """The same transcript for every utterance."""
    return lambda heard: [Transcript(text=text).event()]


class Handler(AsyncEventHandler):
    """One connection. It is closed after its utterance, as handlers that return False are."""

    def __init__(self, answer: Answer, ended: list[Heard], *streams: object) -> None:
        super().__init__(*streams)  # type: ignore[arg-type]
        self._answer = answer
        self._ended = ended
        self._heard = Heard()

    async def handle_event(self, event: Event) -> bool:
        heard = self._heard
        heard.kinds.append(event.type)
        if Transcribe.is_type(event.type):
            heard.language = Transcribe.from_event(event).language
        elif AudioStart.is_type(event.type):
            heard.rates_hz.add(AudioStart.from_event(event).rate)
        elif AudioChunk.is_type(event.type):
            chunk = AudioChunk.from_event(event)
            assert (chunk.width, chunk.channels) == (2, 1)
            heard.rates_hz.add(chunk.rate)
            heard.audio += chunk.audio
        elif AudioStop.is_type(event.type):
            AudioStop.from_event(event)
            self._ended.append(heard)
            for answer in await asyncio.to_thread(self._answer, heard):
                await self.write_event(answer)
            return False
        return True


class WyomingServer:
    """`url`, and the utterances that it has heard to their end."""

    def __init__(self, url: str, heard: list[Heard]) -> None:
        self.url = url
        self.heard = heard


@contextmanager
def wyoming_server(answer: Answer) -> Iterator[WyomingServer]:
    """Serves on a free port of loopback until the `with` block ends."""
    heard: list[Heard] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(what: object) -> object:
        return asyncio.run_coroutine_threadsafe(what, loop).result(PATIENCE_S)  # type: ignore[arg-type]

    server = AsyncTcpServer("127.0.0.1", 0)
    try:
        run(server.start(partial(Handler, answer, heard)))
        assert server._server is not None
        yield WyomingServer(f"tcp://127.0.0.1:{server._server.sockets[0].getsockname()[1]}", heard)
    finally:
        run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()

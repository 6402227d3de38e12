"""The embedded recogniser: a real one, small enough for any machine. PocketSphinx behind the Parakeet shape.

    ws  /ws             int16 LE 16 kHz mono in; {"status":"queued"} when a piece is cut, {"text"} when recognised
    ws  /ws?timings=1   the same, with {"timings_ms": {"queue", "decode", "vad"}} in every text
    GET /healthz        {"ready", "callers", "max_callers", "queue", "decoders"}; 503 while it isn't ready
    GET /timings        totals and percentiles since the start

As with the original, a text message or an odd number of bytes drops the connection without a close frame, another
path is refused with 403, and closing the connection abandons what was said. A caller beyond `max_callers` is
refused with 503. Texts of one caller come in the order of speech.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

from stt_load.dialects.events import Message
from stt_load.errors import ConfigError
from stt_load.server.connection import Answer, Connection, Session
from stt_load.server.frontend import open_listener, serve
from stt_load.server.language import language_model
from stt_load.server.pool import Decoded, DecoderLost, DecoderPool
from stt_load.server.timings import Timings
from stt_load.server.vad import SAMPLE_RATE_HZ, Piece, Vad


def default_decoders() -> int:
    """Two, where there are two cores: 20 to 30 callers. More would hide the knee of the demo on a large machine."""
    return min(2, len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """`warm_up`: pieces each decoder recognises before callers are welcome. `nice`: added to the decoders' own."""

    texts: Sequence[str]
    cache: Path
    host: str = "127.0.0.1"
    port: int = 8000
    max_callers: int = 64
    decoders: int = 2
    preload: bool = True
    warm_up: int = 1
    nice: int = 10
    exit_with_parent: bool = False


def run(options: EmbeddedOptions) -> None:
    """Until SIGTERM or SIGINT. ConfigError before anything was started."""
    try:
        import pocketsphinx  # noqa: F401
    except ImportError:
        raise ConfigError("the recogniser is not installed: pip install 'stt-load[demo]'") from None
    listener = open_listener(options.host, options.port)
    model = language_model(options.texts, options.cache)

    async def main() -> None:
        async with DecoderPool(model, options.decoders, options.nice) as pool:
            recogniser = EmbeddedRecogniser(pool, options.max_callers)

            async def prepare() -> None:
                rounds = max(options.warm_up, 1) if options.preload else options.warm_up
                await pool.warm_up(rounds, _noise(seconds=1))
                recogniser.is_ready = True

            await serve(listener, recogniser, prepare, options.exit_with_parent)

    asyncio.run(main())


class EmbeddedRecogniser:
    """All callers, one pool of decoders."""

    def __init__(self, pool: DecoderPool, max_callers: int) -> None:
        self._pool = pool
        self._max_callers = max_callers
        self._callers: set[EmbeddedSession] = set()
        self.timings = Timings()
        self.is_ready = False

    def on_request(self, request: Request, connection: Connection) -> Answer | Session:
        url = urlsplit(request.path)
        if "Upgrade" not in request.headers:
            return self._answer(url.path)
        if url.path != "/ws":
            return Answer(403, json.dumps({"error": "callers are welcome at /ws"}))
        if not self.is_ready or len(self._callers) >= self._max_callers:
            return Answer(503, json.dumps({"error": "full" if self.is_ready else "not ready"}))
        with_timings = parse_qs(url.query).get("timings", ["0"])[-1] not in ("0", "")
        session = EmbeddedSession(connection, self._pool, self.timings, with_timings, self._callers.discard)
        self._callers.add(session)
        return session

    def _answer(self, path: str) -> Answer:
        if path == "/timings":
            return Answer(200, json.dumps(self.timings.summary()))
        if path != "/healthz":
            return Answer(404, json.dumps({"error": "there are /healthz, /timings and the websocket /ws"}))
        health = {
            "ready": self.is_ready,
            "callers": len(self._callers),
            "max_callers": self._max_callers,
            "queue": self._pool.queue_length,
            "decoders": self._pool.decoders,
        }
        return Answer(200 if self.is_ready else 503, json.dumps(health))


class EmbeddedSession:
    """One caller: its VAD, and the pieces whose text it still owes."""

    def __init__(
        self,
        connection: Connection,
        pool: DecoderPool,
        timings: Timings,
        with_timings: bool,
        on_closed: Callable[[EmbeddedSession], None],
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._timings = timings
        self._with_timings = with_timings
        self._tell_closed = on_closed
        self._vad = Vad()
        self._owed: deque[tuple[Piece, asyncio.Future[Decoded]]] = deque()

    def on_message(self, message: Message, received_s: float) -> None:
        if isinstance(message, str) or len(message) % 2:
            self._connection.drop()
            return
        for piece in self._vad.feed(message):
            self._connection.send_text('{"status":"queued"}')
            decoding = self._pool.submit(piece.pcm)
            self._owed.append((piece, decoding))
            decoding.add_done_callback(self._send_what_is_due)

    def on_closed(self) -> None:
        for _, decoding in self._owed:
            decoding.cancel()
        self._owed.clear()
        self._tell_closed(self)

    def _send_what_is_due(self, _: asyncio.Future[Decoded]) -> None:
        while self._owed and self._owed[0][1].done():
            piece, decoding = self._owed.popleft()
            self._connection.send_text(json.dumps(self._reply(piece, decoding)))

    def _reply(self, piece: Piece, decoding: asyncio.Future[Decoded]) -> dict[str, object]:
        try:
            decoded = decoding.result()
        except DecoderLost:
            return {"error": "the decoder of this piece died"}
        times_ms = {"queue": decoded.queue_ms, "decode": decoded.decode_ms, "vad": piece.waited_ms}
        self._timings.add(times_ms, piece.audio_s)
        reply: dict[str, object] = {"text": decoded.text}
        if self._with_timings:
            reply["timings_ms"] = {name: round(value, 3) for name, value in times_ms.items()}
        return reply


def _noise(seconds: int) -> bytes:
    """Something to warm up with: quiet noise, the same each time."""
    rng = random.Random(0)
    return array("h", (round(rng.gauss(0, 300)) for _ in range(seconds * SAMPLE_RATE_HZ))).tobytes()

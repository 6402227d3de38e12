"""Callers of one voice before one recogniser: does what the voices say, in order, and keeps the count.

A caller beyond `max_callers` is refused as its voice says, another path with 403. Closing the connection abandons
what was said.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import soxr
from websockets.http11 import Request

from stt_load.dialects.events import Message
from stt_load.server.connection import Answer, Connection, Session
from stt_load.server.pool import Decoded, DecoderLost
from stt_load.server.server_dialect import (
    Abort,
    Close,
    DiscardAudio,
    FeedAudio,
    Flush,
    RecognisedSegment,
    SendMessage,
    ServerAction,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)
from stt_load.server.timings import Timings
from stt_load.server.vad import SAMPLE_RATE_HZ, SpeechSegment, Vad


class Recogniser(Protocol):
    """Segments in, texts out, first come first served."""

    decoders: int

    @property
    def queue_length(self) -> int: ...

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]: ...


class EmbeddedServer:
    """All callers. `is_ready` is set by who prepares the recogniser."""

    def __init__(
        self, recogniser: Recogniser, voice: type[ServerDialect], max_callers: int, api_key: str | None = None
    ) -> None:
        self.path = voice.path
        self.timings = Timings()
        self.is_ready = False
        self.heard_s = 0.0
        self._recogniser = recogniser
        self._voice = voice
        self._max_callers = max_callers
        self._api_key = api_key
        self._callers: set[Caller] = set()

    def on_request(self, request: Request, connection: Connection) -> Answer | Session:
        url = urlsplit(request.path)
        if "Upgrade" not in request.headers:
            return self._answer(url.path)
        if url.path != self.path:
            return Answer(403, json.dumps({"error": f"callers are welcome at {self.path}"}))
        if not self.is_ready:
            return Answer(503, json.dumps({"error": "not ready"}))
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        voice = self._voice(UpgradeRequest(url.path, dict(parse_qsl(url.query)), headers, self._api_key))
        refusal = voice.refuse()
        if refusal is None and len(self._callers) >= self._max_callers:
            told = voice.on_full()
            if not isinstance(told, UpgradeRefusal):
                return Rejected(connection, told)
            refusal = told
        if refusal is not None:
            return Answer(refusal.status, refusal.body)
        caller = Caller(self, connection, voice, self._recogniser)
        self._callers.add(caller)
        return caller

    def leave(self, caller: Caller) -> None:
        self._callers.discard(caller)

    def _answer(self, path: str) -> Answer:
        if path == "/timings":
            return Answer(200, json.dumps(self.timings.summary()))
        if path != "/healthz":
            return Answer(404, json.dumps({"error": f"there are /healthz, /timings and the websocket {self.path}"}))
        health = {
            "ready": self.is_ready,
            "callers": len(self._callers),
            "max_callers": self._max_callers,
            "queue": self._recogniser.queue_length,
            "decoders": self._recogniser.decoders,
            "heard_s": round(self.heard_s, 3),
        }
        return Answer(200 if self.is_ready else 503, json.dumps(health))


class Caller:
    """One connection: its voice, its ear, and the segments whose text it still owes. None among them: a flush."""

    def __init__(
        self, room: EmbeddedServer, connection: Connection, voice: ServerDialect, recogniser: Recogniser
    ) -> None:
        self._room = room
        self._connection = connection
        self._voice = voice
        self._recogniser = recogniser
        self._ear = Segmenter(voice)
        self._owed: deque[tuple[SpeechSegment, asyncio.Future[Decoded]] | None] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def on_open(self) -> None:
        self._do(self._voice.on_open())
        self._tick_later()

    def on_message(self, message: Message, received_s: float) -> None:
        self._do(self._voice.on_message(message))

    def on_closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for owed in self._owed:
            if owed is not None:
                owed[1].cancel()
        self._owed.clear()
        self._voice.on_closed()
        self._room.leave(self)

    def _do(self, actions: Iterable[ServerAction]) -> None:
        for action in actions:
            match action:
                case FeedAudio(pcm):
                    self._room.heard_s += len(pcm) / 2 / self._voice.sample_rate_hz
                    self._submit(self._ear.hear(pcm))
                case Flush():
                    self._submit(self._ear.flush())
                    self._owed.append(None)
                    self._tell_what_is_due()
                case DiscardAudio():
                    self._ear = Segmenter(self._voice)
                case _:
                    _tell(self._connection, action)

    def _submit(self, segments: Sequence[SpeechSegment]) -> None:
        for segment in segments:
            self._do(self._voice.on_segment())
            decoding = self._recogniser.submit(segment.pcm)
            self._owed.append((segment, decoding))
            decoding.add_done_callback(self._tell_what_is_due)

    def _tell_what_is_due(self, _: asyncio.Future[Decoded] | None = None) -> None:
        while self._owed:
            owed = self._owed[0]
            if owed is not None and not owed[1].done():
                return
            self._owed.popleft()
            self._do(self._voice.on_flushed() if owed is None else self._told(*owed))

    def _told(self, segment: SpeechSegment, decoding: asyncio.Future[Decoded]) -> Sequence[ServerAction]:
        try:
            decoded = decoding.result()
        except DecoderLost:
            return self._voice.on_failed()
        times_ms = {"queue": decoded.queue_ms, "decode": decoded.decode_ms, "vad": segment.waited_ms}
        self._room.timings.add(times_ms, segment.audio_s)
        end_s = segment.start_s + segment.audio_s
        return self._voice.on_text(RecognisedSegment(decoded.text, segment.start_s, end_s, times_ms))

    def _tick_later(self) -> None:
        if self._voice.tick_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._voice.tick_s, self._tick)

    def _tick(self) -> None:
        self._tick_later()
        self._do(self._voice.on_tick())


class Rejected:
    """A caller too many, whose upgrade was done all the same: told why, and not listened to."""

    def __init__(self, connection: Connection, farewell: Sequence[ServerAction]) -> None:
        self._connection = connection
        self._farewell = farewell

    def on_open(self) -> None:
        for action in self._farewell:
            _tell(self._connection, action)

    def on_message(self, message: Message, received_s: float) -> None: ...

    def on_closed(self) -> None: ...


def _tell(connection: Connection, action: ServerAction) -> None:
    """What is done to the connection alone."""
    match action:
        case SendMessage(message):
            connection.send_message(message)
        case Close(code, reason):
            connection.close(code, reason)
        case Abort():
            connection.drop()


class Segmenter:
    """Audio at the voice's rate → segments at the recogniser's."""

    def __init__(self, voice: ServerDialect) -> None:
        self._vad = Vad(voice.endpoint_s, voice.max_segment_s)
        rate_hz = voice.sample_rate_hz
        self._stream = None if rate_hz == SAMPLE_RATE_HZ else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, "int16")

    def hear(self, pcm: bytes, is_last: bool = False) -> Sequence[SpeechSegment]:
        if self._stream is not None:
            pcm = self._stream.resample_chunk(np.frombuffer(pcm, "<i2"), last=is_last).tobytes()
        return self._vad.feed(pcm)

    def flush(self) -> Sequence[SpeechSegment]:
        """What is left of an utterance; the next one begins anew."""
        segments = list(self.hear(b"", is_last=True)) if self._stream is not None else []
        last = self._vad.flush()
        if self._stream is not None:
            self._stream.clear()
        return segments if last is None else [*segments, last]

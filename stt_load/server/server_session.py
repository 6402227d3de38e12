"""One client of the embedded recogniser: carries out what its server dialect says, and keeps the order of the texts.

Nothing here waits or knows a socket: messages come in by calls, actions on the connection go out through `transmit`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import soxr

from stt_load.dialects.events import Message
from stt_load.server.decoder_pool import Decoded, DecoderLost
from stt_load.server.server_dialect import (
    ConnectionAction,
    DiscardAudio,
    FeedAudio,
    Flush,
    RecognisedSegment,
    ServerAction,
    ServerDialect,
)
from stt_load.server.timings import Timings
from stt_load.server.vad import SAMPLE_RATE_HZ, SpeechSegment, Vad


class Recogniser(Protocol):
    """Takes segments of speech, and gives their texts in the order in which it was asked."""

    decoders: int

    @property
    def queue_length(self) -> int:
        """How many segments no decoder has taken yet."""
        ...

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]:
        """Queues int16 LE mono 16 kHz. The future may fail with DecoderLost."""
        ...


class ServerSession:
    """Serves one connection from its upgrade to its end, which abandons what was not recognised yet."""

    def __init__(
        self,
        dialect: ServerDialect,
        recogniser: Recogniser,
        timings: Timings,
        transmit: Callable[[ConnectionAction], None],
    ) -> None:
        self._dialect = dialect
        self._recogniser = recogniser
        self._timings = timings
        self._transmit = transmit
        self._segmenter = Segmenter(dialect)
        # Segments whose text is owed, in the order of speech; None among them stands for a flush.
        self._owed: deque[tuple[SpeechSegment, asyncio.Future[Decoded]] | None] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def on_open(self) -> None:
        self._carry_out(self._dialect.on_open())
        self._schedule_tick()

    def on_message(self, message: Message) -> None:
        self._carry_out(self._dialect.on_message(message))

    def on_closed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for owed in self._owed:
            if owed is not None:
                owed[1].cancel()
        self._owed.clear()
        self._dialect.on_closed()

    def _carry_out(self, actions: Iterable[ServerAction]) -> None:
        for action in actions:
            match action:
                case FeedAudio(pcm):
                    self._timings.received_s += len(pcm) / 2 / self._dialect.sample_rate_hz
                    self._submit(self._segmenter.feed(pcm))
                case Flush():
                    self._submit(self._segmenter.flush())
                    self._owed.append(None)
                    self._settle()
                case DiscardAudio():
                    self._segmenter = Segmenter(self._dialect)
                case _:
                    self._transmit(action)

    def _submit(self, segments: Sequence[SpeechSegment]) -> None:
        for segment in segments:
            self._carry_out(self._dialect.on_segment())
            decoding = self._recogniser.submit(segment.pcm)
            self._owed.append((segment, decoding))
            decoding.add_done_callback(self._settle)

    def _settle(self, _: asyncio.Future[Decoded] | None = None) -> None:
        """Hands the dialect every text and flush that no earlier segment holds back."""
        while self._owed:
            owed = self._owed[0]
            if owed is not None and not owed[1].done():
                return
            self._owed.popleft()
            self._carry_out(self._dialect.on_flushed() if owed is None else self._actions_on_text(*owed))

    def _actions_on_text(self, segment: SpeechSegment, decoding: asyncio.Future[Decoded]) -> Sequence[ServerAction]:
        try:
            decoded = decoding.result()
        except DecoderLost:
            return self._dialect.on_failed()
        times_ms = {"queue": decoded.queue_ms, "decode": decoded.decode_ms, "vad": segment.waited_ms}
        self._timings.add(times_ms, segment.audio_s)
        return self._dialect.on_text(RecognisedSegment(decoded.text, segment.start_s, segment.end_s, times_ms))

    def _schedule_tick(self) -> None:
        if self._dialect.tick_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._dialect.tick_s, self._tick)

    def _tick(self) -> None:
        self._schedule_tick()
        self._carry_out(self._dialect.on_tick())


class Segmenter:
    """Cuts audio at the dialect's rate into segments at the recogniser's."""

    def __init__(self, dialect: ServerDialect) -> None:
        self._vad = Vad(dialect.endpoint_s, dialect.max_segment_s)
        self._resampler = None
        if dialect.sample_rate_hz != SAMPLE_RATE_HZ:
            self._resampler = soxr.ResampleStream(dialect.sample_rate_hz, SAMPLE_RATE_HZ, 1, "int16")

    def feed(self, pcm: bytes, is_last: bool = False) -> Sequence[SpeechSegment]:
        """Takes int16 LE mono at the dialect's rate; returns the segments that end in it."""
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(np.frombuffer(pcm, "<i2"), last=is_last).tobytes()
        return self._vad.feed(pcm)

    def flush(self) -> Sequence[SpeechSegment]:
        """Cuts the segment that has begun; the next audio begins anew."""
        segments = list(self.feed(b"", is_last=True)) if self._resampler is not None else []
        last = self._vad.flush()
        if self._resampler is not None:
            self._resampler.clear()
        return segments if last is None else [*segments, last]

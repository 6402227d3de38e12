"""One spoken text: what the server answered and when, and what that comes to.

All times are seconds after `start_at_s`, the moment at which the request was begun to be handed to the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stt_load.errors import ConnectionLost, Outcome, Refusal, SttLoadError
from stt_load.records import Stamp
from stt_load.session.http_status import outcome_of, refusal_of
from stt_load.tts.audio_bytes import AudioCounter
from stt_load.tts.audio_events import CONTENT_TYPE, AudioEvents
from stt_load.tts.playback import Arrival, Playback, gaps_s, play

STREAMED_UP_TO = 0.8
"""An answer was streamed if its first audio came before so much of the total had passed.

A server that wraps a finished file sends its first byte when synthesis is over and the rest as fast as the wire takes
it: 0.95 of the total and more. One that streams k pieces sends the first at about 1/k: 0.7 and less, even where two
pieces are unequal. A text of a single piece looks like a file: it is taken for a stream where the server has shown with
another text that it streams.
"""

ARRIVAL_RESOLUTION_S = 0.001
"""Bytes that come within so long are one arrival: a file sent line by line comes in thousands of chunks."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one request came to. None: not measured, or there is no such thing."""

    outcome: Outcome
    error: str | None = None
    refusal: Refusal | None = None
    connect_s: float | None = None
    first_byte_s: float | None = None  # first byte of audio, streamed or not
    total_s: float | None = None  # the answer's end
    audio_s: float | None = None
    n_bytes: int = 0  # of audio
    container: str | None = None
    is_length_known: bool = False  # before the first byte of audio: it was finished by then
    gaps_s: tuple[float, ...] = ()
    stamp: Stamp = "read"
    playback: Playback | None = None  # as if it was streamed; None where that can't be

    @property
    def is_ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def is_streamed(self) -> bool:
        """Of this answer alone. Under load even a finished file may come with a pause in it, so a length that was
        known beforehand speaks against it whatever the times say."""
        if not self.is_ok or self.first_byte_s is None or self.total_s is None or self.is_length_known:
            return False
        return self.first_byte_s <= STREAMED_UP_TO * self.total_s

    def first_audio_s(self, server_streams: bool = False) -> float | None:
        """None where the answer was not streamed: the first byte of a finished file says nothing of its own.
        `server_streams`: it has been seen to, so an answer in one piece is a stream of one piece."""
        if self.is_streamed or (server_streams and self.is_ok and not self.is_length_known):
            return self.first_byte_s
        return None

    @property
    def rtf(self) -> float | None:
        """Total time over seconds of audio: below 1 the server speaks faster than anybody listens."""
        return self.total_s / self.audio_s if self.total_s is not None and self.audio_s else None


class Answer:
    """Takes in one answer as it comes. `asked`: the format that was asked for."""

    def __init__(self, asked: str, start_at_s: float, connect_s: float | None = None, stamp: Stamp = "read") -> None:
        self._asked = asked
        self._start_at_s = start_at_s
        self._connect_s = connect_s
        self._stamp = stamp
        self._counter = AudioCounter(asked)
        self._events: AudioEvents | None = None
        self._has_content_length = False
        self._arrivals: list[Arrival] = []

    def begin(self, headers: Mapping[str, str]) -> None:
        """HTTP 200. `headers`: names in lower case."""
        content_type = headers.get("content-type", "")
        self._counter = AudioCounter(self._asked, content_type)
        self._events = AudioEvents() if content_type.lower().startswith(CONTENT_TYPE) else None
        self._has_content_length = "content-length" in headers

    def take(self, now_s: float, data: bytes) -> None:
        """ProtocolError where it is no audio."""
        self._take_audio(now_s, data if self._events is None else self._events.feed(data))

    def _take_audio(self, now_s: float, audio: bytes) -> None:
        n_bytes = self._counter.feed(audio) if audio else 0
        if not n_bytes:
            return
        at_s = now_s - self._start_at_s
        last = self._arrivals[-1] if self._arrivals else None
        if last is not None and at_s - last.at_s < ARRIVAL_RESOLUTION_S:
            self._arrivals[-1] = Arrival(last.at_s, last.n_bytes + n_bytes)
        else:
            self._arrivals.append(Arrival(at_s, n_bytes))

    def end(self, now_s: float, fault: SttLoadError | None = None) -> Spoken:
        """The answer is over, in good order or by a `fault`."""
        if fault is None:
            fault = self._find_fault(now_s)
        total_s = now_s - self._start_at_s
        if fault is not None:
            return self._spoken(outcome_of(fault), error=str(fault), refusal=refusal_of(fault))
        audio_s = self._counter.seconds()
        if audio_s is None and self._counter.container == "encoded" and self._asked != "aac":
            return self._spoken(Outcome.PROTOCOL_ERROR, error="the answer is no audio that can be read")
        spoken = self._spoken(Outcome.OK, total_s=total_s, audio_s=audio_s)
        if not spoken.is_ok or spoken.is_length_known or not audio_s:
            return spoken
        playback = play(self._arrivals, self._counter.n_bytes / audio_s)
        return self._spoken(Outcome.OK, total_s=total_s, audio_s=audio_s, playback=playback)

    def _find_fault(self, now_s: float) -> SttLoadError | None:
        """What is wrong with an answer that ended in good order."""
        if self._events is not None:
            try:
                self._take_audio(now_s, self._events.close())
            except SttLoadError as fault:
                return fault
        if self._counter.is_cut:
            return ConnectionLost("the answer is cut short: its header promises more audio than came")
        if self._events is not None and not self._events.is_done:
            return ConnectionLost("the answer is cut short: its events end without speech.audio.done")
        return None

    def _spoken(
        self,
        outcome: Outcome,
        *,
        error: str | None = None,
        refusal: Refusal | None = None,
        total_s: float | None = None,
        audio_s: float | None = None,
        playback: Playback | None = None,
    ) -> Spoken:
        if outcome is Outcome.OK and not self._counter.n_bytes:
            outcome, error = Outcome.NO_FINAL, "the answer holds no audio"
        return Spoken(
            outcome=outcome,
            error=error,
            refusal=refusal,
            connect_s=self._connect_s,
            first_byte_s=self._arrivals[0].at_s if self._arrivals else None,
            total_s=total_s,
            audio_s=audio_s,
            n_bytes=self._counter.n_bytes,
            container=self._counter.container,
            is_length_known=self._counter.promised_bytes is not None or self._has_content_length,
            gaps_s=tuple(gaps_s(self._arrivals)),
            stamp=self._stamp,
            playback=playback,
        )

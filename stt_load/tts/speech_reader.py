"""One text spoken by a server: what it answered and when, and what that comes to.

All times are seconds from the first byte of the request; where the text is fed token by token, from the moment when
the first one was due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stt_load.errors import ConnectionLost, Outcome, ProtocolError, Refusal, SttLoadError
from stt_load.records import Stamp
from stt_load.session.outcomes import Ending, ending_of_request
from stt_load.tts.audio_bytes import PCM_RATE_HZ, AudioCounter
from stt_load.tts.audio_events import CONTENT_TYPE, AudioEvents
from stt_load.tts.playback import AudioArrival, Playback, gaps_s, play

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
class TtsResult:
    """What one request for speech came to. None: not measured, or there is no such thing."""

    outcome: Outcome
    error: str | None = None
    refusal: Refusal | None = None
    is_own_fault: bool = False
    connect_s: float | None = None
    first_byte_s: float | None = None  # first byte of audio, streamed or not
    total_s: float | None = None  # the answer's end
    audio_s: float | None = None
    n_bytes: int = 0  # of audio
    container: str | None = None
    is_length_known: bool = False  # before the first byte of audio: it was finished by then
    gaps_s: tuple[float, ...] = ()
    stamp: Stamp = "read"
    arrival_late_s: float | None = None  # how long before their times its first or last byte may have arrived
    playback: Playback | None = None  # as if it was streamed; None where that can't be
    text_s: float | None = None  # first token due -> last token due; None where the request had the whole text

    @property
    def is_ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def is_streamed(self) -> bool:
        """Whether this answer was streamed, by itself alone. Under load even a finished file may come with a pause in
        it, so a length that was known beforehand speaks against it whatever the times say. One whose text came in
        pieces is streamed in any case."""
        if not self.is_ok or self.first_byte_s is None or self.total_s is None or self.is_length_known:
            return False
        return self.text_s is not None or self.first_byte_s <= STREAMED_UP_TO * self.total_s

    def first_audio_s(self, server_streams: bool = False) -> float | None:
        """When the first audio came; None where the answer was not streamed, because the first byte of a finished file
        says nothing of its own. `server_streams`: the server has been seen to stream, so that an answer in one piece is
        a stream of one piece."""
        if self.is_streamed or (server_streams and self.is_ok and not self.is_length_known):
            return self.first_byte_s
        return None

    @property
    def after_text_s(self) -> float | None:
        """Last token due -> first audio, below zero where the server spoke before it had the whole text; None where the
        request had all of it."""
        if self.text_s is None or not self.is_ok or self.first_byte_s is None:
            return None
        return self.first_byte_s - self.text_s

    @property
    def rtf(self) -> float | None:
        """Total time over seconds of audio: below 1 the server speaks faster than anybody listens."""
        return self.total_s / self.audio_s if self.total_s is not None and self.audio_s else None


class SpeechReader:
    """Reads one answer as it comes. `asked`: the format that was asked for.

    `arrivals`: the audio that came, by the millisecond. The caller owes `begin` once the answer's head is there, `feed`
    for every piece, and `close` or `end`.
    """

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._counter = AudioCounter(asked)
        self._rate_hz = PCM_RATE_HZ  # of samples without a header
        self._events: AudioEvents | None = None
        self._has_content_length = False
        self.arrivals: list[AudioArrival] = []

    def begin(self, headers: Mapping[str, str]) -> None:
        """The server answers with 2xx. `headers`: names in lower case."""
        content_type = headers.get("content-type", "")
        self._counter = AudioCounter(self._asked, content_type)
        self._events = AudioEvents() if content_type.lower().startswith(CONTENT_TYPE) else None
        self._has_content_length = "content-length" in headers

    def begin_samples(self, rate_hz: int) -> None:
        """The server says that so many int16 samples a second follow; it may say so again before each sentence. Raises
        ProtocolError where those before were of another rate: nobody could tell how long all of them are."""
        if not self._counter.n_bytes:
            self._counter, self._rate_hz = AudioCounter(self._asked, f"audio/pcm;rate={rate_hz}"), rate_hz
        elif rate_hz != self._rate_hz and self._counter.container == "pcm":
            raise ProtocolError(f"{rate_hz:,} samples a second follow audio of {self._rate_hz:,}")

    def feed(self, at_s: float, data: bytes) -> None:
        """A piece of the body arrived. Raises ProtocolError where it is no audio."""
        self._feed_audio(at_s, data if self._events is None else self._events.feed(data))

    def close(self, total_s: float) -> TtsResult:
        """The answer ended in good order; `total_s`: when its last byte arrived."""
        try:
            self._check_end(total_s)
        except SttLoadError as fault:
            return self.end(ending_of_request(fault))
        if not self._counter.n_bytes:
            return self._result(Outcome.NO_FINAL, "the answer holds no audio", total_s=total_s)
        audio_s = self._counter.seconds()
        if audio_s is None and self._counter.container == "encoded" and self._asked != "aac":
            return self._result(Outcome.PROTOCOL_ERROR, "the answer is not audio that can be read")
        playback = None
        if audio_s and not self._is_length_known:
            playback = play(self.arrivals, self._counter.n_bytes / audio_s)
        return self._result(Outcome.OK, total_s=total_s, audio_s=audio_s, playback=playback)

    def end(self, ending: Ending) -> TtsResult:
        """The request ended by a fault, or was cut."""
        return self._result(*ending)

    def _feed_audio(self, at_s: float, audio: bytes) -> None:
        n_bytes = self._counter.feed(audio) if audio else 0
        if not n_bytes:
            return
        last = self.arrivals[-1] if self.arrivals else None
        if last is not None and at_s - last.at_s < ARRIVAL_RESOLUTION_S:
            self.arrivals[-1] = AudioArrival(last.at_s, last.n_bytes + n_bytes)
        else:
            self.arrivals.append(AudioArrival(at_s, n_bytes))

    def _check_end(self, total_s: float) -> None:
        """Raises what is wrong with an answer that ended in good order."""
        if self._events is not None:
            self._feed_audio(total_s, self._events.close())
        if self._counter.is_cut:
            raise ConnectionLost("the answer is cut short: its header promises more audio than came")
        if self._events is not None and not self._events.is_done:
            raise ConnectionLost("the answer is cut short: its events end without speech.audio.done")

    @property
    def _is_length_known(self) -> bool:
        return self._counter.promised_bytes is not None or self._has_content_length

    def _result(
        self,
        outcome: Outcome,
        error: str | None = None,
        refusal: Refusal | None = None,
        is_own_fault: bool = False,
        *,
        total_s: float | None = None,
        audio_s: float | None = None,
        playback: Playback | None = None,
    ) -> TtsResult:
        return TtsResult(
            outcome=outcome,
            error=error,
            refusal=refusal,
            is_own_fault=is_own_fault,
            first_byte_s=self.arrivals[0].at_s if self.arrivals else None,
            total_s=total_s,
            audio_s=audio_s,
            n_bytes=self._counter.n_bytes,
            container=self._counter.container,
            is_length_known=self._is_length_known,
            gaps_s=tuple(gaps_s(self.arrivals)),
            playback=playback,
        )

"""A clock that only moves when somebody waits, and a connection that follows a script. For the core's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule
from stt_load.dialects.base import Connect, Dialect
from stt_load.dialects.events import Message
from stt_load.errors import SttLoadError
from stt_load.stream.actions import SessionRules
from stt_load.stream.encoded import EncodedClip, encode_clip
from stt_load.stream.runner import run_utterance
from stt_load.stream.session import Session
from stt_load.stream.transport import Arrival, Stamp

START_S = 1_000.0
RATE_HZ = 16_000
FRAME = FrameRule(asked_ms=100, samples=1_600, sample_rate_hz=RATE_HZ)


@dataclass
class FakeClock:
    """Monotonic seconds. Moves forward only."""

    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s

    def move_to(self, at_s: float) -> None:
        self.now_s = max(self.now_s, at_s)


@dataclass
class ScriptedTransport:
    """`arrivals`: (seconds after START_S, what comes), in order; an error is raised at its time.

    `connect_takes_s` and `send_takes_s` (of the nth send; the last entry holds for all later ones) move the clock.
    `on_connect`, `on_send` (by the number of the send): raised instead.
    """

    clock: FakeClock
    arrivals: Sequence[tuple[float, Message | SttLoadError]] = ()
    connect_takes_s: float = 0.0
    send_takes_s: Sequence[float] = (0.0,)
    on_connect: SttLoadError | None = None
    on_send: dict[int, SttLoadError] = field(default_factory=dict)
    stamp: Stamp = "kernel"
    sent: list[tuple[float, Message]] = field(default_factory=list)
    send_deadlines_s: list[float] = field(default_factory=list)
    is_closed: bool = False

    def __post_init__(self) -> None:
        self._coming = [(START_S + at_s, what) for at_s, what in self.arrivals]
        self._n_sends = 0

    def connect(self, target: Connect, deadline_s: float) -> None:
        self.clock.move_to(self.clock.now_s + self.connect_takes_s)
        if self.on_connect:
            raise self.on_connect

    def send(self, message: Message, deadline_s: float) -> None:
        number, self._n_sends = self._n_sends, self._n_sends + 1
        self.send_deadlines_s.append(deadline_s)
        if number in self.on_send:
            raise self.on_send[number]
        self.sent.append((self.clock.now_s - START_S, message))
        self.clock.move_to(self.clock.now_s + self.send_takes_s[min(number, len(self.send_takes_s) - 1)])

    def receive(self, deadline_s: float) -> Arrival | None:
        if not self._coming or self._coming[0][0] > max(deadline_s, self.clock.now_s):
            self.clock.move_to(deadline_s)
            return None
        at_s, what = self._coming.pop(0)
        self.clock.move_to(at_s)
        if isinstance(what, SttLoadError):
            raise what
        return Arrival(at_s, what, self.stamp)

    def close(self) -> None:
        self.is_closed = True


def clip(
    speech_start_s: float = 0.1, speech_end_s: float = 0.6, duration_s: float = 0.6, clip_id: str = "clip"
) -> Clip:
    """A loud clip; its bounds are what the arguments say."""
    samples = np.full(round(duration_s * RATE_HZ), 8_000, np.int16)
    return Clip(clip_id, "some reference words", samples, RATE_HZ, speech_start_s, speech_end_s)


def one_second(dialect: Dialect, speech: Clip | None = None) -> EncodedClip:
    """Ten frames of 100 ms: speech from 0.1 to 0.6 s, then silence."""
    return encode_clip(speech or clip(), FRAME, 0.4, dialect)


@dataclass
class Spoken:
    """An utterance that was run under a fake clock."""

    session: Session
    transport: ScriptedTransport
    clock: FakeClock
    stamp: Stamp
    seen: list[tuple[float, str, str]]


def speak(dialect: Dialect, rules: SessionRules, transport: ScriptedTransport) -> Spoken:
    """One utterance of `one_second` from dial to close. `seen`: what a watcher was shown."""
    seen: list[tuple[float, str, str]] = []

    def watch(at_s: float, direction: str, message: Message | str, events: Sequence[object]) -> None:
        kinds = " ".join(type(event).__name__ for event in events)
        seen.append((round(at_s - START_S, 6), direction, kinds))

    clock = transport.clock
    session = Session(dialect, one_second(dialect), rules, clock())
    stamp = run_utterance(session, transport, dialect.connect("ws://server/ws"), clock, watch)
    return Spoken(session, transport, clock, stamp, seen)

"""Virtual time for tests: a clock that only moves when somebody waits, connections that follow a script, and a poller
and a driver over them."""

from __future__ import annotations

import math
import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule
from stt_load.clock import Clock
from stt_load.dialects.base import Connect, Dialect
from stt_load.dialects.events import Message
from stt_load.errors import DeadlineExceeded, SttLoadError, TransportError
from stt_load.net.transport import Arrival, Need
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.in_flight import InFlight, Watcher
from stt_load.pacing.inline_driver import run_with
from stt_load.pacing.pacer import Pacer
from stt_load.records import Figures, Stamp, Utterance, UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.session.session import Session
from stt_load.session.websocket_frames import ClientFrame

START_S = 1_000.0
RATE_HZ = 16_000
FRAME = FrameRule(asked_ms=100, samples=1_600, sample_rate_hz=RATE_HZ)


@dataclass
class FakeClock:
    """A clock of monotonic seconds that is moved by hand, forward only."""

    now_s: float = START_S

    def __call__(self) -> float:
        return self.now_s

    def move_to(self, at_s: float) -> None:
        self.now_s = max(self.now_s, at_s)


@dataclass
class ScriptedTransport:
    """A connection that follows a script. Times are seconds after START_S.

    `arrivals`: (when, what comes), in order; an error is raised at its time. `connect_takes_s` and `send_takes_s` (of
    the nth send; the last entry holds for all later ones) move the clock. `on_connect`, `on_send` (by the number of
    the send): raised instead. `opening`: (need, when it is met) of each step before the connection is open. `full`:
    (from, to), when the kernel takes nothing, or with `is_held_by_peer` the server. `sent`: when each message was
    whole with the kernel.
    """

    clock: FakeClock
    arrivals: Sequence[tuple[float, Message | SttLoadError]] = ()
    connect_takes_s: float = 0.0
    send_takes_s: Sequence[float] = (0.0,)
    on_connect: SttLoadError | None = None
    on_send: dict[int, SttLoadError] = field(default_factory=dict)
    opening: Sequence[tuple[Need, float]] = ()
    full: tuple[float, float] = (0.0, 0.0)
    stamp: Stamp = "kernel"
    sent: list[tuple[float, Message]] = field(default_factory=list)
    is_closed: bool = False
    has_more: bool = False
    is_refused: bool = False
    is_held_by_peer: bool = False

    def __post_init__(self) -> None:
        self._coming = [(START_S + at_s, what) for at_s, what in self.arrivals]
        self._unsent: list[Message] = []
        self._n_sends = 0

    def dial(self, target: Connect) -> None: ...

    def advance(self) -> Need | None:
        self.clock.move_to(self.clock.now_s + self.connect_takes_s)
        if self.on_connect:
            raise self.on_connect
        need = self._unmet_need
        return need and need[0]

    @property
    def open_timeout(self) -> TransportError:
        return DeadlineExceeded("not open in time")

    def send(self, message: Message) -> bool:
        number, self._n_sends = self._n_sends, self._n_sends + 1
        if number in self.on_send:
            raise self.on_send[number]
        if self._unsent or self.is_full:
            self._unsent.append(message)
            return False
        self.sent.append((self.clock.now_s - START_S, message))
        self.clock.move_to(self.clock.now_s + self.send_takes_s[min(number, len(self.send_takes_s) - 1)])
        return True

    def send_frame(self, frame: Sequence[ClientFrame]) -> bool:
        return [self.send(part.message) for part in frame][-1]

    def flush(self) -> bool:
        if not self.is_full:
            self.sent += [(self.clock.now_s - START_S, message) for message in self._unsent]
            self._unsent = []
        return not self._unsent

    def receive(self) -> Arrival | None:
        if not self._coming or self._coming[0][0] > self.clock.now_s:
            return None
        at_s, what = self._coming.pop(0)
        if isinstance(what, SttLoadError):
            raise what
        return Arrival(at_s, what, self.stamp)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.is_closed = True

    @property
    def _unmet_need(self) -> tuple[Need, float] | None:
        """What opening waits for, and when it is met."""
        left = [(need, START_S + at_s) for need, at_s in self.opening if START_S + at_s > self.clock.now_s]
        return left[0] if left else None

    @property
    def is_full(self) -> bool:
        return START_S + self.full[0] <= self.clock.now_s < START_S + self.full[1]

    def ready_at_s(self, until_s: float, wants_writable: bool) -> float:
        """When the poller tells of it: when something comes, or the kernel takes something; at most `until_s`."""
        if self._unmet_need is not None:
            need, met_at_s = self._unmet_need
            return min(until_s, met_at_s) if wants_writable == (need is Need.WRITABLE) else until_s
        moments_s = [until_s, *(at_s for at_s, _ in self._coming[:1])]
        can_send_at_s = START_S + self.full[1] if self.is_full else self.clock.now_s
        if self.is_held_by_peer and self.is_full:  # the kernel would take more, and the server's leave is read
            moments_s.append(self.clock.now_s if wants_writable else can_send_at_s)
        elif wants_writable:
            moments_s.append(can_send_at_s)
        return min(moments_s)


class FakePoller:
    """A level-triggered poller of any number of fake connections. A wait moves the clock to the next thing that
    happens; one that nothing would end, or a loop that never waits, fails the test."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._wants_writable: dict[InFlight, bool] = {}
        self._n_waits_since = (0, clock.now_s)

    def watch(self, in_flight: InFlight, wants_writable: bool = False) -> None:
        self._wants_writable[in_flight] = wants_writable

    def remove(self, in_flight: InFlight) -> None:
        self._wants_writable.pop(in_flight, None)

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        if not self._wants_writable:
            return ()
        until_s = math.inf if until_s is None else until_s
        ready_at_s = {
            in_flight: cast(Any, in_flight.transport).ready_at_s(until_s, wants_writable)
            for in_flight, wants_writable in self._wants_writable.items()
        }
        first_s = min([until_s, *ready_at_s.values()])
        assert first_s < math.inf, "nothing would ever end this wait"
        self._clock.move_to(first_s)
        n_waits, since_s = self._n_waits_since
        self._n_waits_since = (n_waits + 1 if since_s == self._clock.now_s else 0), self._clock.now_s
        assert n_waits < 10_000, "the loop spins: it never waits for the clock to move"
        return [in_flight for in_flight, at_s in ready_at_s.items() if at_s <= self._clock.now_s]


class FakeDriver:
    """Plays utterances over fake connections under their clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock: Clock = clock
        self._pacer = Pacer(FakePoller(clock), clock)

    def run(self, in_flight: InFlight) -> None:
        run_with(self._pacer, in_flight)


def run_utterance(session: Session, transport: Any, dialect: Dialect, watch: Watcher | None = None) -> Stamp:
    """Plays one utterance from dial to close. Gives where its arrival times came from."""
    connection = CallerConnection(dialect, transport, "ws://server/ws", FakeDriver(transport.clock))
    connection.run(session, watch)
    return connection.latest_use.stamp


def record_of(*measured: Figures, reference: str = "words") -> UtteranceRecord:
    """The record of an utterance of which this was measured, and which ended in 1970."""
    return UtteranceRecord.assemble(Utterance("run", 0, 0, 0, "hold", 1, "clip", reference), measured, 0.0)


def open_websocket(url: str, dialect: Dialect | None = None, timeout_s: float = 20.0) -> WebSocketTransport:
    """Opens a real connection and waits for it. Raises what opening it raises."""
    transport, deadline_s = WebSocketTransport(), time.monotonic() + timeout_s
    transport.dial(dialect.connect(url) if dialect else Connect(url))
    while (need := transport.advance()) is not None:
        with selectors.DefaultSelector() as selector:
            selector.register(transport, selectors.EVENT_READ if need is Need.READABLE else selectors.EVENT_WRITE)
            if not selector.select(deadline_s - time.monotonic()):
                timeout = transport.open_timeout
                transport.close()
                raise timeout
    return transport


def first_arrival(transport: WebSocketTransport, timeout_s: float) -> Arrival:
    """Waits for the next message of a real connection."""
    deadline_s = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(transport, selectors.EVENT_READ)
        while (arrival := transport.receive()) is None:
            assert selector.select(deadline_s - time.monotonic()), "nothing came before the deadline"
    return arrival


def clip(
    speech_start_s: float = 0.1, speech_end_s: float = 0.6, duration_s: float = 0.6, clip_id: str = "clip"
) -> Clip:
    """A loud clip; its bounds are what the arguments say. A constant would be no sound."""
    samples = np.resize(np.array([8_000, -8_000], np.int16), round(duration_s * RATE_HZ))
    return Clip(clip_id, "some reference words", samples, RATE_HZ, speech_start_s, speech_end_s)


def one_second(dialect: Dialect, speech: Clip | None = None) -> EncodedClip:
    """Ten frames of 100 ms: speech from 0.1 to 0.6 s, then silence."""
    return encode_clip(speech or clip(), FRAME, 0.4, dialect)


@dataclass
class PlayedUtterance:
    """An utterance that was run under a fake clock."""

    session: Session
    transport: ScriptedTransport
    clock: FakeClock
    stamp: Stamp
    seen: list[tuple[float, str, str]]


def speak(dialect: Dialect, rules: SessionRules, transport: ScriptedTransport) -> PlayedUtterance:
    """One utterance of `one_second` from dial to close. `seen`: what a watcher was shown."""
    seen: list[tuple[float, str, str]] = []

    def watch(at_s: float, direction: str, message: Message | str, events: Sequence[object]) -> None:
        kinds = " ".join(type(event).__name__ for event in events)
        seen.append((round(at_s - START_S, 6), direction, kinds))

    clock = transport.clock
    session = Session(dialect, one_second(dialect), rules, clock())
    stamp = run_utterance(session, transport, dialect, watch)
    return PlayedUtterance(session, transport, clock, stamp, seen)

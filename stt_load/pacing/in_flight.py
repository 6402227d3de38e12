"""One utterance that a pacer plays over its connection, and what a pacer needs around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from stt_load.clock import Clock
from stt_load.credentials import Credentials
from stt_load.dialects.events import Event, Message
from stt_load.net.transport import Need, Transport
from stt_load.records import Stamp
from stt_load.session.played import PlayedSession
from stt_load.session.schedule import Schedule


class Watcher(Protocol):
    """Sees what goes over the wire, as it happens, without what is secret."""

    def __call__(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        """`direction`: ">" sent, "<" received, "!" an error. `events`: what the dialect made of a received message."""
        ...


def redacted(watch: Watcher, credentials: Credentials) -> Watcher:
    """A watcher that shows `watch` everything but what is secret."""

    def watch_redacted(at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        watch(at_s, direction, credentials.hide(message) if isinstance(message, str) else message, events)

    return watch_redacted


class Unsent(msgspec.Struct, frozen=True, gc=False):
    """Messages that the kernel has not taken whole. They are a frame of `schedule`, where that is not None."""

    messages: Sequence[Message]
    schedule: Schedule | None


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What a connection that was dialled and is not open yet still needs: to be open at `deadline_s` (monotonic), and
    then its `first_messages` to be sent."""

    deadline_s: float
    first_messages: Sequence[Message] = ()


class InFlight:
    """One utterance in the hands of a pacer, from its dial or its reuse of an open connection until its session is
    done. The pacer leaves the connection open then, and calls `on_done` with it, once.

    For its owner:
    `opening`: while the connection is not open yet. `stamp`: where the last arrival time came from. `crash`: what ended
    the utterance that is no fault of the connection.

    For the pacer:
    `schedule`: of the frames that are being sent, up to number `until_frame`, which is not; None while none are.
    `wakes_at_s` (monotonic): when something is to be done next. It waits for that in the frame queue (`is_queued`), or
    has the timer `timer_id`, or neither (0). `unsent`: what the kernel would not take. `fd`: the descriptor that is
    polled, below 0 where none is. `need`: what its opening waited for last.
    """

    __slots__ = (
        "crash",
        "fd",
        "frames",
        "is_done",
        "is_queued",
        "need",
        "on_done",
        "opening",
        "schedule",
        "send_frame",
        "session",
        "stamp",
        "timer_id",
        "transport",
        "unsent",
        "until_frame",
        "wakes_at_s",
        "watch",
    )

    def __init__(
        self, session: PlayedSession, transport: Transport, opening: Opening | None = None, watch: Watcher | None = None
    ) -> None:
        self.session = session
        self.opening = opening
        self.transport = transport
        self.send_frame = transport.send_frame
        self.on_done: Callable[[InFlight], object] = _nobody_waits
        self.watch = watch and redacted(watch, session.credentials)
        self.frames = session.frames
        self.stamp: Stamp = "read"
        self.is_done = False
        self.crash: Exception | None = None
        self.schedule: Schedule | None = None
        self.until_frame = 0
        self.fd = -1
        self.need: Need | None = None
        self.is_queued = False
        self.timer_id = 0
        self.wakes_at_s = 0.0
        self.unsent: Unsent | None = None


class Poller(Protocol):
    """Tells whose connection has become readable, or writable."""

    def watch(self, in_flight: InFlight, wants_writable: bool = False) -> None:
        """Tells of it whenever its transport's descriptor is readable, and with `wants_writable` when it is writable.
        Called again where that changes, or the descriptor does."""
        ...

    def remove(self, in_flight: InFlight) -> None:
        """Tells of it no more. Does nothing where it isn't watched. To be called while its descriptor is open: one that
        a fork of this process holds too, as a child does until its program starts, is told of even when it is closed
        here."""
        ...

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        """Those that are ready, as soon as there are some; none at `until_s`, monotonic (None: waits for ever)."""
        ...


class Driver(Protocol):
    """Plays utterances to their end: one after the other, or those of many callers at a time."""

    clock: Clock

    def run(self, in_flight: InFlight) -> None:
        """Returns when the utterance is done. Raises what crashed in it."""
        ...


def _nobody_waits(in_flight: InFlight) -> None: ...

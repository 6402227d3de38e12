"""One utterance and its connection, in the hands of a pacer, and what a pacer needs around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from stt_load.clock import Clock
from stt_load.credentials import without_key
from stt_load.dialects.events import Event, Message
from stt_load.net.transport import Transport
from stt_load.records import Stamp
from stt_load.session.schedule import Schedule
from stt_load.session.session import Session


class Watcher(Protocol):
    """Sees what goes over the wire, as it happens, without the key. `events` is empty for what was sent."""

    def __call__(self, at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None: ...


def redacted(watch: Watcher, key: str | None) -> Watcher:
    """Shows `watch` everything but the key."""

    def tell(at_s: float, direction: str, message: Message | str, events: Sequence[Event]) -> None:
        watch(at_s, direction, without_key(message, key) if isinstance(message, str) else message, events)

    return tell if key else watch


class Unsent(msgspec.Struct, frozen=True, gc=False):
    """What the kernel has not taken whole: messages, of a frame of `schedule` where there is one."""

    messages: Sequence[Message]
    schedule: Schedule | None


class Opening(msgspec.Struct, frozen=True, gc=False):
    """Of a connection that was dialled. `deadline_s`: monotonic; `first_messages`: what it begins with."""

    deadline_s: float
    first_messages: Sequence[Message] = ()


class InFlight:
    """What a pacer keeps of an utterance; when it is done, the connection is left open. `on_done` is called then, once.
    `opening`: while the connection is not open yet.
    `stamp`: where the last arrival time came from. `crash`: what ended it that is no fault of the connection.

    `schedule`: of the frames that are spoken now, up to number `speaks_until`; None while none are. Its place in the
    pacer's order is in the lane, or in the agenda with a `ticket` (0: it has none), at `wakes_at_s`, monotonic. `file`:
    the descriptor polled.
    """

    __slots__ = (
        "crash",
        "file",
        "frames",
        "held",
        "is_done",
        "is_in_lane",
        "on_done",
        "opening",
        "schedule",
        "send_frame",
        "session",
        "speaks_until",
        "stamp",
        "ticket",
        "transport",
        "wakes_at_s",
        "watch",
    )

    def __init__(
        self, session: Session, transport: Transport, opening: Opening | None = None, watch: Watcher | None = None
    ) -> None:
        self.session = session
        self.opening = opening
        self.transport = transport
        self.send_frame = transport.send_frame
        self.on_done: Callable[[], object] = _nobody_waits
        self.watch = watch and redacted(watch, session.dialect.settings.api_key)
        self.frames = session.audio.frames
        self.stamp: Stamp = "read"
        self.is_done = False
        self.crash: Exception | None = None
        self.schedule: Schedule | None = None
        self.speaks_until = 0
        self.file = -1
        self.is_in_lane = False
        self.ticket = 0
        self.wakes_at_s = 0.0
        self.held: Unsent | None = None


class Poll(Protocol):
    """Tells which calls have something to read or room to write."""

    def watch(self, call: InFlight, wants_room: bool = False) -> None:
        """From now on, or from now on otherwise; its transport may have another file than before. `wants_room`: room to
        write is to be told too."""
        ...

    def remove(self, call: InFlight) -> None:
        """One that isn't watched is left out."""
        ...

    def wait(self, until_s: float | None) -> Sequence[InFlight]:
        """Those that are ready, as soon as there are some; none at `until_s`, monotonic (None: no end)."""
        ...


class Driver(Protocol):
    """Carries one call after the other, or those of many callers at a time."""

    clock: Clock

    def run(self, call: InFlight) -> None:
        """Returns when the call is done. Raises what crashed in it."""
        ...


def _nobody_waits() -> None: ...

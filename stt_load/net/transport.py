"""What a pacer needs of a connection: nothing of it waits, except that `dial` may look a name up."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol

import msgspec

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.errors import TransportError
from stt_load.records import Stamp


class Need(Enum):
    """What a connection that is being opened waits for: its socket to become readable, or writable."""

    READABLE = "readable"
    WRITABLE = "writable"


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message and when it arrived: monotonic seconds, from the kernel's receive stamp or from our read, as `stamp`
    says. `late_s`: how long before that it may have arrived, seconds; None where the kernel knows."""

    at_s: float
    message: Message
    stamp: Stamp
    late_s: float | None = None


class Transport(Protocol):
    """One connection to a server, with messages in both directions.

    `has_more`: the last `receive` gave None and left something unread: others are to have their turn first.
    `is_held_by_peer`: what was not taken waits for the server to allow more, so for something to be read; else for the
    kernel.
    """

    has_more: bool

    @property
    def is_held_by_peer(self) -> bool: ...

    def dial(self, target: Connect) -> None:
        """Begins to open the connection; may wait for a name to be looked up. Raises UpgradeRefused.

        This and everything else raises GeneratorFailure where this machine lacks something of its own.
        """
        ...

    def advance(self) -> Need | None:
        """Goes on with opening as far as it goes now. Gives what it waits for, or None when the connection is open.
        After each call `fileno` may be another one. Raises UpgradeRefused, ConnectionLost, ProtocolError."""
        ...

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused to open it, and the rest of its reason is still to come."""
        ...

    @property
    def open_timeout(self) -> TransportError:
        """The error for a connection whose opening has taken too long; it names the step that is missing."""
        ...

    def send(self, message: Message) -> bool:
        """Whether the kernel has the whole message now; else it takes no more for the moment, and `flush` goes on with
        the rest. Raises ConnectionLost."""
        ...

    def send_frame(self, frame: Sequence[Any]) -> bool:
        """Sends a frame of audio, which may be several messages, each as `Carrier.prepared` made it; gives and raises
        what `send` does."""
        ...

    def flush(self) -> bool:
        """Goes on with what the kernel didn't take; whether it has all of it now. Raises ConnectionLost."""
        ...

    def receive(self) -> Arrival | None:
        """The next message that is here; None where there is none, or not all of it, or where it `has_more`. Call it
        until it gives None and has no more: no poller reports again what was read before. Raises ConnectionLost,
        ProtocolError, of a server that floods too."""
        ...

    def fileno(self) -> int:
        """The descriptor to poll; valid from `dial` to `close`."""
        ...

    def close(self) -> None:
        """Never waits for the peer and never raises."""
        ...

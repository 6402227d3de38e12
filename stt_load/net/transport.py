"""What a pacer needs of a connection. Nothing waits but `dial`, for a name: it is done now, or later."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.errors import TransportError
from stt_load.records import Stamp
from stt_load.session.client_frames import ClientFrame


class Need(Enum):
    """What a connection that is being opened waits for."""

    READABLE = "something to read"
    WRITABLE = "room to write, which comes with the connection"


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message and when it arrived: monotonic seconds, from the kernel's receive stamp or from our read."""

    at_s: float
    message: Message
    stamp: Stamp


class Transport(Protocol):
    """One connection."""

    def dial(self, target: Connect) -> None:
        """Begins to open it; may wait for a name to be looked up. Raises UpgradeRefused."""
        ...

    def advance(self) -> Need | None:
        """Goes on with that as far as it goes now; None when the websocket is open. Each time it may be another file.
        Raises UpgradeRefused, ConnectionLost, ProtocolError."""
        ...

    @property
    def too_late(self) -> TransportError:
        """What is missing when opening it has taken too long."""
        ...

    def send(self, message: Message) -> bool:
        """Whether its last byte is with the kernel; else the kernel takes no more now, and `flush` goes on with it.
        Raises ConnectionLost."""
        ...

    def send_frame(self, frame: Sequence[ClientFrame]) -> bool:
        """The same for a frame of audio."""
        ...

    def flush(self) -> bool:
        """Goes on with what the kernel didn't take; whether all of it is handed over. Raises ConnectionLost."""
        ...

    def receive(self) -> Arrival | None:
        """The next message that is here; None where there is none, or not all of it. To be asked until it gives None.
        Raises ConnectionLost, ProtocolError."""
        ...

    def fileno(self) -> int:
        """For whoever watches it; valid from `dial` to `close`."""
        ...

    def close(self) -> None:
        """Never waits for the peer and never raises."""
        ...

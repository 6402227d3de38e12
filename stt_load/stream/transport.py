"""What a pacer needs of a connection. Only `connect` waits: whatever comes after it is done now, or later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message
from stt_load.stream.prepared import PreparedMessage

Stamp = Literal["kernel", "read"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message and when it arrived: monotonic seconds, from the kernel's receive stamp or from our read."""

    at_s: float
    message: Message
    stamp: Stamp


class Transport(Protocol):
    """One connection."""

    def connect(self, target: Connect, deadline_s: float) -> None:
        """Dial and upgrade. `deadline_s`: monotonic. Raises UpgradeRefused, DeadlineExceeded, ConnectionLost."""
        ...

    def send(self, message: Message) -> bool:
        """Whether its last byte is with the kernel; else the kernel takes no more now, and `flush` goes on with it.
        Raises ConnectionLost."""
        ...

    def send_frame(self, frame: Sequence[PreparedMessage]) -> bool:
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
        """For whoever watches it; valid from `connect` to `close`."""
        ...

    def close(self) -> None:
        """Never waits for the peer and never raises."""
        ...

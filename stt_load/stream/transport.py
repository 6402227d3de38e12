"""What a runner needs of a connection: four verbs, each with a deadline, each able to fail in named ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from stt_load.dialects.base import Connect
from stt_load.dialects.events import Message

Stamp = Literal["kernel", "read"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message and when it arrived: monotonic seconds, from the kernel's receive stamp or from our read."""

    at_s: float
    message: Message
    stamp: Stamp


class Transport(Protocol):
    """One connection. Deadlines are monotonic seconds."""

    def connect(self, target: Connect, deadline_s: float) -> None:
        """Dial and upgrade. Raises UpgradeRefused, DeadlineExceeded, ConnectionLost."""
        ...

    def send(self, message: Message, deadline_s: float) -> None:
        """Returns when the last byte is with the kernel. Raises ConnectionLost, DeadlineExceeded."""
        ...

    def receive(self, deadline_s: float) -> Arrival | None:
        """The next message, or None at the deadline. Raises ConnectionLost, ProtocolError."""
        ...

    def close(self) -> None:
        """Never waits for the peer and never raises."""
        ...

"""What a pacer plays: one utterance as a state machine, whatever is said in it and whatever comes back.

`Session` is a clip that is transcribed. Others are in the rooms of their kinds of load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stt_load.credentials import Credentials
from stt_load.dialects.events import Event, Message
from stt_load.errors import SttLoadError
from stt_load.session.actions import Action
from stt_load.session.prepared_message import PreparedMessage
from stt_load.session.schedule import Schedule


class PlayedSession(Protocol):
    """One utterance as it goes on: who plays it owes what `Session` says.

    `schedule`: what is sent when; None before the stream starts.
    """

    schedule: Schedule | None

    @property
    def frames(self) -> Sequence[Sequence[PreparedMessage]]:
        """The messages of each frame of the schedule."""
        ...

    @property
    def credentials(self) -> Credentials:
        """What must not be shown of what goes over the wire."""
        ...

    @property
    def deadline_s(self) -> float:
        """When it is given up, monotonic seconds."""
        ...

    @property
    def opened_at_s(self) -> float | None:
        """When the connection was opened for it; None before, and where an earlier utterance had opened it."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether it has come to a good end."""
        ...

    def on_open(self, opened_s: float, first_messages: Sequence[Message] = ()) -> None: ...

    def on_reuse(self, now_s: float) -> None: ...

    def on_sent(self, now_s: float) -> None: ...

    def on_message(self, arrived_s: float, message: Message, late_s: float | None = None) -> Sequence[Event]: ...

    def on_fault(self, error: SttLoadError, now_s: float) -> None: ...

    def next_action(self, now_s: float) -> Action: ...

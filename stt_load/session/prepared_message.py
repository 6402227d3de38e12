"""A message as its carrier sends it: made once, before the first caller speaks, and shared by all of them."""

from __future__ import annotations

from typing import Protocol

from stt_load.dialects.events import Message


class PreparedMessage(Protocol):
    """What a pacer and whoever watches know of one; the rest is between it and the transport of its carrier."""

    @property
    def message(self) -> Message:
        """The message as the dialect gave it."""
        ...


class PlainMessage:
    """A message whose bytes are sent as they are. A text is sent as UTF-8."""

    __slots__ = ("data", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.data = message.encode() if isinstance(message, str) else message

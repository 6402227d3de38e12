"""What every server that converses has: a dialect that makes the answer of each turn."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from stt_load.conversation.answer import Answer
from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Message
from stt_load.dialects.row import DialectRow


class ConversationDialect(Dialect):
    """One connection to a server that converses.

    `is_line`: the microphone is on as soon as the connection is open, as over a telephone; else once the server is
    ready. `interrupts`: the client says by a message that it speaks over an answer; else the server has to hear it.
    """

    is_line: ClassVar[bool] = False
    interrupts = False

    @abstractmethod
    def new_answer(self) -> Answer:
        """What is heard in the next turn."""

    def cancel(self) -> Message:
        """Says that the caller speaks over the answer. Only of one that `interrupts`."""
        raise NotImplementedError

    @staticmethod
    @abstractmethod
    def is_frame(message: Message) -> bool:
        """Whether a message that was sent is a frame of what the caller says: of those there are too many to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRow(DialectRow):
    """One server that converses."""

    dialect: type[ConversationDialect]

    def facts(self) -> dict[str, str]:
        able = self.capabilities
        return {
            **({"homepage": self.homepage} if self.homepage else {}),
            "audio": f"{able.encoding} mono, {able.sample_rate_hz} Hz, both ways",
            "turns end by": " or ".join(able.ends) + (", the first by default" if len(able.ends) > 1 else ""),
            "a connection": "carries many turns",
            "ready message": "yes" if able.has_ready else "no",
        }

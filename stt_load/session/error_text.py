"""What is said of an utterance that went wrong: in one line, with whose language the server seems to speak instead, and
without the caller's key, which servers are known to quote."""

from __future__ import annotations

from stt_load.credentials import without_key
from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Message
from stt_load.dialects.registry import DIALECTS, detect

_KEPT = 5


class ErrorText:
    """Of one utterance in `dialect`."""

    __slots__ = ("_dialect", "_not_understood")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._not_understood: list[Message] = []  # the first few

    def note(self, message: Message) -> None:
        """The dialect could make nothing of this message."""
        if len(self._not_understood) < _KEPT:
            self._not_understood.append(message)

    def worded(self, error: str) -> str:
        """As it is kept and shown."""
        error = without_key(error, self._dialect.settings.api_key)
        names = [name for name in detect(self._not_understood) if DIALECTS[name].dialect is not type(self._dialect)]
        return f"{error}; the server seems to speak {' or '.join(names)}: see --dialect" if names else error

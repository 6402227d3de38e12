"""The error of an utterance that went wrong, as it is kept and shown."""

from __future__ import annotations

from stt_load.credentials import without_key
from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Message
from stt_load.dialects.registry import DIALECTS, detect

_KEPT = 5


class ErrorText:
    """Words the error of one utterance in `dialect`: in one line, with the dialect that the server seems to speak
    instead, and without the caller's key, which servers are known to quote."""

    __slots__ = ("_dialect", "_unknown")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._unknown: list[Message] = []  # the first few

    def add_unknown(self, message: Message) -> None:
        """Remembers a message that the dialect could make nothing of."""
        if len(self._unknown) < _KEPT:
            self._unknown.append(message)

    def describe(self, error: str) -> str:
        """The error as it is kept and shown."""
        error = without_key(error, self._dialect.settings.api_key)
        names = [name for name in detect(self._unknown) if DIALECTS[name].dialect is not type(self._dialect)]
        return f"{error}; the server seems to speak {' or '.join(names)}: see --dialect" if names else error

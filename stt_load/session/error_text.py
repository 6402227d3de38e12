"""The error of an utterance that went wrong, as it is kept and shown."""

from __future__ import annotations

from stt_load.dialects.base import Dialect
from stt_load.dialects.events import Message
from stt_load.dialects.registry import DIALECTS, detect, detect_refusal

_KEPT = 5
_REMARKS_KEPT = 2


class ErrorText:
    """Words the error of one utterance in `dialect`: in one line, with what the server remarked before, with the
    dialect that it seems to speak instead, and without the caller's key, which servers are known to quote.

    `is_understood`: the server has sent something that the dialect knows, on this connection.
    """

    __slots__ = ("_dialect", "_refusal", "_remarks", "_unknown", "is_understood")

    def __init__(self, dialect: Dialect) -> None:
        self.is_understood = False
        self._dialect = dialect
        self._refusal = ""
        self._remarks: list[str] = []  # the first few, each once
        self._unknown: list[Message] = []  # the first few

    def add_unknown(self, message: Message) -> None:
        """Remembers a message that the dialect could make nothing of. Some say nothing and come from its own server all
        the same, `{"partial": ""}` for example."""
        self.is_understood = self.is_understood or self._dialect.recognises(message)
        if len(self._unknown) < _KEPT:
            self._unknown.append(message)

    def add_remark(self, text: str) -> None:
        """Remembers what the server said without ending the utterance."""
        if len(self._remarks) < _REMARKS_KEPT and text not in self._remarks:
            self._remarks.append(text)

    def add_refusal(self, refusal: str) -> None:
        """Remembers what the server said when it would not open the connection."""
        self._refusal = refusal

    @property
    def other_dialects(self) -> list[str]:
        """Names of the dialects that the server seems to speak instead, where its messages or its refusal tell."""
        names = [*detect(self._unknown), *(detect_refusal(self._refusal) if self._refusal else ())]
        return [name for name in names if DIALECTS[name].dialect is not type(self._dialect)]

    def describe(self, error: str) -> str:
        """The error as it is kept and shown."""
        error = "; the server said before: ".join([error, *self._remarks])
        error = self._dialect.settings.credentials.hide(error)
        names = self.other_dialects
        return f"{error}; the server seems to speak {' or '.join(names)}: see --dialect" if names else error

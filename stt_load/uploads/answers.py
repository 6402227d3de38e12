"""The answer to an upload: a body piece by piece in, the transcript out. No socket, no clock.

How the body is read follows from its content type and from the body itself. A server that was asked to stream and
answers JSON has not streamed, and then there is no first text.

    text/event-stream           server-sent events, see `event_reader.py`
    a JSON object, whatever     {"text": …}, null where nothing was heard; or what went wrong
    the type says
    text/plain, and whatever    the text itself: servers call it text/html, or nothing at all
    comes where text was asked
    for
    anything else               JSON: a string
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stt_load.dialects.wire import numbers, shown, text_of
from stt_load.errors import Outcome, ProtocolError
from stt_load.session.outcomes import Ending
from stt_load.text.whole_characters import with_whole_characters

_IS_PAGE = re.compile(r"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UploadAnswer:
    """The transcript of an upload.

    `messages`: monotonic seconds and text of each part that stands for itself. `first_text_at_s`: None where the server
    did not stream. `error`: what the server said went wrong. `is_whole`: nothing that its shape promises is missing.
    """

    text: str
    messages: tuple[tuple[float, str], ...] = ()
    first_text_at_s: float | None = None
    server_ms: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    is_whole: bool = True

    @property
    def ending(self) -> Ending:
        """What the upload came to."""
        if self.error is not None:
            return Ending(Outcome.SERVER_ERROR, self.error)
        if not self.is_whole:
            return Ending(Outcome.DISCONNECTED, "the answer ended before its last event")
        if not self.text:
            return Ending(Outcome.NO_FINAL, "the server answered without any text")
        return Ending(Outcome.OK)


class WholeReader:
    """Reads JSON or plain text, of which nothing can be said before the end. `may_be_plain`: the text itself may come,
    because the server says so or was asked for it.

    `feed` takes a piece of the body and when it arrived; `close` says that the body is complete. Both raise
    ProtocolError.
    """

    def __init__(self, may_be_plain: bool) -> None:
        self._may_be_plain = may_be_plain
        self._parts: list[bytes] = []
        self._at_s = 0.0

    def feed(self, data: bytes, at_s: float) -> None:
        self._parts.append(data)
        self._at_s = at_s

    def close(self) -> UploadAnswer:
        data = b"".join(self._parts)
        try:
            told = data.decode("utf-8-sig")
        except ValueError as error:
            raise ProtocolError(f"neither JSON nor text: {shown(data)}") from error
        return self._read(told, data)

    def _read(self, told: str, data: bytes) -> UploadAnswer:
        """A transcript is no JSON object, and no page of HTML, whatever it is said to be."""
        try:
            body = with_whole_characters(json.loads(told))
        except (ValueError, RecursionError) as error:
            if self._may_be_plain and not _IS_PAGE.match(told):
                return self._answer_of(told)
            raise ProtocolError(f"neither JSON nor text: {shown(data)}") from error
        if isinstance(body, dict):
            return self._read_object(body)
        if isinstance(body, str) or body is None:
            return self._answer_of(body or "")
        if self._may_be_plain:  # "1984" is a text
            return self._answer_of(told)
        raise ProtocolError(f"JSON without a text: {shown(body)}")

    def _read_object(self, body: Mapping[str, Any]) -> UploadAnswer:
        error = error_in(body)
        return UploadAnswer("", error=error) if error is not None else self._answer_of(text_of(body, "text"), body)

    def _answer_of(self, text: str, body: Mapping[str, Any] | None = None) -> UploadAnswer:
        text = text.strip()
        return UploadAnswer(text, ((self._at_s, text),) if text else (), server_ms=timings_in(body or {}))


def error_in(body: Mapping[str, Any]) -> str | None:
    """What the server says went wrong in an answer that otherwise looks fine: OpenAI's `error`, or TingWu's `code`
    other than 0."""
    error = body.get("error")
    if error:
        message = error.get("message") if isinstance(error, Mapping) else None
        return str(message or error)
    if body.get("code") not in (None, 0):
        return str(body.get("message") or body.get("msg") or f"code {body['code']}")
    return None


def timings_in(body: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds by name, as `stt-load serve` gives them, and servers that have a `meta`."""
    meta = body.get("meta")
    return numbers(body.get("timings_ms")) | numbers(meta.get("timings_ms") if isinstance(meta, Mapping) else None)

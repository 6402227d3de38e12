"""Server-sent events: bytes in, the data of whole events out.

WHATWG HTML, section 9.2.6. Lines may also end in a lone CR there; no server was seen to do that.
"""

from __future__ import annotations

from collections.abc import Iterator

from stt_load.errors import ProtocolError

DONE = b"[DONE]"
"""The data that says no more events come, a custom of OpenAI and servers like it."""
_LONGEST_LINE_BYTES = 16 << 20


class EventFrames:
    """ProtocolError where a line has no end."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            raise ProtocolError("an event of the answer has no end")
        for line in lines:
            yield from self._on_line(line.removesuffix(b"\r"))

    def close(self) -> Iterator[bytes]:
        """An event that lacks its blank line: the standard drops it, servers that end in good order mean it."""
        if self._rest:
            yield from self._on_line(self._rest)
        yield from self._on_line(b"")

    def _on_line(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            yield b"\n".join(self._data)
            self._data = []

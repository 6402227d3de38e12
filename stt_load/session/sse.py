"""Server-sent events: bytes in, the data of whole events out.

WHATWG HTML, section 9.2.6. Lines may also end in a lone CR there; no server was seen to do that.
"""

from __future__ import annotations

from collections.abc import Iterator

from stt_load.errors import ProtocolError

DONE = b"[DONE]"
"""The data that says no more events come, a custom of OpenAI and servers like it."""
_LONGEST_LINE_BYTES = 16 << 20
MOST_LINES = 60_000  # ten minutes of audio in events of 20 ms


class EventFrames:
    """Cuts the bytes of an answer into events. Raises ProtocolError where a line has no end, and where there are more
    than `most_lines`."""

    def __init__(self, most_lines: int = MOST_LINES) -> None:
        self._most_lines = most_lines
        self._parts: list[bytes] = []  # of the line that has begun
        self._n_bytes = 0  # of it
        self._n_lines = 0
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._parts.append(data)
        self._n_bytes += len(data)
        if b"\n" not in data:
            if self._n_bytes > _LONGEST_LINE_BYTES:
                raise ProtocolError(f"the server floods: an event of more than {_LONGEST_LINE_BYTES:,} bytes")
            return
        *lines, rest = b"".join(self._parts).split(b"\n")
        self._parts, self._n_bytes = [rest], len(rest)
        self._n_lines += len(lines)
        if self._n_lines > self._most_lines:
            raise ProtocolError(f"the server floods: an answer of more than {self._most_lines:,} lines of events")
        for line in lines:
            yield from self._on_line(line.removesuffix(b"\r"))

    def close(self) -> Iterator[bytes]:
        """An event that lacks its blank line: the standard drops it, servers that end in good order mean it."""
        rest = b"".join(self._parts)
        if rest:
            yield from self._on_line(rest)
        yield from self._on_line(b"")

    def _on_line(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            yield b"\n".join(self._data)
            self._data = []

"""Splits the output of a child process into lines."""

from __future__ import annotations

_MAX_LINE_BYTES = 64 * 1024


class LineBuffer:
    """Collects pieces of output and returns whole lines. Lines over 64 KiB, and an unfinished last one, are dropped."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False

    def feed(self, chunk: bytes) -> list[str]:
        *whole, rest = (self._rest + chunk).split(b"\n")
        if whole and self._is_skipping:
            del whole[0]  # the end of a line whose beginning was thrown away
            self._is_skipping = False
        self._is_skipping = self._is_skipping or len(rest) > _MAX_LINE_BYTES
        self._rest = b"" if self._is_skipping else rest
        return [line.decode("utf-8", "replace") for line in whole]

"""A file and the parts that it goes on in, as one stream of bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

from stt_load.report.raw_files import parts_of


def open_parts(path: Path) -> BinaryIO:
    """Opens the file; where it goes on in other parts, all of them, one behind the other. Raises OSError."""
    parts = parts_of(path)
    return path.open("rb") if len(parts) == 1 else cast("BinaryIO", io.BufferedReader(_PartStream(parts)))


class _PartStream(io.RawIOBase):
    """Reads the parts one behind the other. It can be set back to its beginning, and to no other place."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = parts
        self._at = 0
        self._file = self._parts[0].open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        while True:
            n = self._file.readinto(cast("memoryview", buffer)) or 0
            if n or self._at == len(self._parts) - 1:
                return n
            self._begin(self._at + 1)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("only to the beginning")
        self._begin(0)
        return 0

    def tell(self) -> int:
        return sum(part.stat().st_size for part in self._parts[: self._at]) + self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()

    def _begin(self, part: int) -> None:
        self._file.close()
        self._at, self._file = part, self._parts[part].open("rb", buffering=0)

"""One raw file of a run folder: lines that only grow, whole and in their order, whatever the disk does meanwhile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class RawFile:
    """Appends lines to a file that stays open from its first moment: no descriptor has to be found later.

    What the disk does not take waits in memory and goes before anything newer, so that a line which the disk has cut is
    ended by its own rest.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file can't be opened."""
        self.path = path
        self._waiting = bytearray()
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)

    @property
    def waiting_bytes(self) -> int:
        return len(self._waiting)

    @property
    def waiting_lines(self) -> int:
        """How many lines are not yet whole in the file."""
        return self._waiting.count(b"\n")

    @property
    def is_empty(self) -> bool:
        return os.fstat(self._file).st_size == 0

    @property
    def is_there(self) -> bool:
        """The path still leads to this file: nobody has removed or renamed it, or its folder."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # nobody may look, which says nothing about the file
            return True

    def add(self, lines: bytes) -> None:
        """Appends whole lines, each with its end. Raises OSError where some have to wait."""
        self._waiting += lines
        self.write_waiting()

    def write_waiting(self) -> None:
        """Writes what waits. Raises OSError where some has to wait on."""
        # One call for all of it, so that lines are whole or not begun when the process is killed. The kernel may take
        # less at once (a disk that is nearly full), and then the rest needs another.
        while self._waiting:
            del self._waiting[: os.write(self._file, self._waiting)]

    def copy_to(self, path: Path) -> RawFile:
        """Makes another file with all lines of this one, those that wait included. A removed file is read too. Raises
        OSError where they can't all be written."""
        copy = RawFile(path)
        try:
            with os.fdopen(os.dup(self._file), "rb") as source, os.fdopen(os.dup(copy._file), "wb") as target:
                source.seek(0)
                shutil.copyfileobj(source, target)
            copy.add(bytes(self._waiting))
        except BaseException:
            copy.close()
            raise
        return copy

    def close(self) -> None:
        os.close(self._file)

"""Writes to stdout and stderr in a way that neither blocks nor fails: nobody may read them any more.

A terminal that was paused (Ctrl-S), a reader that was stopped, and a pipe that is full would hold up the thread that
logs, and with it its samples; a full disk, and a reader that has ended, would end it.
"""

from __future__ import annotations

import logging
import os
import select
import signal
from contextlib import suppress

STDOUT, STDERR = 1, 2
# A pipe that can be written to has room for so much (PIPE_BUF of Linux); elsewhere a line is shorter anyway.
_MAX_BYTES = 4096


def make_safe() -> None:
    """Opens the standard streams that were closed, and lets no terminal stop this process because it writes there.

    Otherwise the next file or socket would become stdout, and what is printed would go there.
    """
    for stream in (0, STDOUT, STDERR):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # `stty tostop`


def write_line(stream: int, line: str) -> bool:
    """Writes one line, of up to 4 KiB. False if it can't be written at once.

    What it quotes may come from any user of the host, as the name of a process does: control characters are written as
    escapes, so that they command no terminal and begin no line.
    """
    content = f"{printable(line)}\n".encode("utf-8", "replace")
    if len(content) > _MAX_BYTES:
        content = content[: _MAX_BYTES - 1] + b"\n"
    with suppress(OSError):
        poll = select.poll()
        poll.register(stream, select.POLLOUT)
        return bool(poll.poll(0)) and os.write(stream, content) == len(content)
    return False


def printable(text: str) -> str:
    """The text with every character as an escape that can't be printed, such as a line end."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


class StderrHandler(logging.Handler):
    """Prints log records on stderr, and says later how many could not be printed."""

    def __init__(self) -> None:
        super().__init__()
        self._n_missing = 0

    def emit(self, record: logging.LogRecord) -> None:
        missing = f" ({self._n_missing} lines before it could not be printed)" if self._n_missing else ""
        try:
            is_written = write_line(STDERR, self.format(record) + missing)
        except Exception:  # as in every handler of `logging`: a line that can't be made ends nobody
            is_written = False
        self._n_missing = 0 if is_written else self._n_missing + 1

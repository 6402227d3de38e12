"""Standard output and standard error that can neither fail nor hold up the program: what is printed decides nothing.

A reader goes away (`| head`), a disk is full, a terminal is lost: then printing raises, in the middle of whatever the
process does. Or nobody reads for a while (Ctrl-S, an ssh session that hangs): then it waits in the kernel, and every
caller of the process with it. So `protect_streams` puts streams in the place of Python's own from which no error comes,
and `print_in_background` lets a thread do the writing, which a process needs that measures while it prints.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import errno
import io
import os
import sys
from _queue import Empty, SimpleQueue  # queue.SimpleQueue itself is gevent's, where gevent has patched the process
from collections.abc import Callable
from typing import BinaryIO, cast

from stt_load.errors import SttLoadError

_STDOUT, _STDERR = 1, 2
_CHUNKS_AT_MOST = 4_096  # kept while nobody reads; after that the oldest are dropped
_STANDSTILL_LIMIT_S = 10.0  # how long the end of the process waits for a reader that takes nothing
_FULL_PAUSE_S = 0.02  # between two tries, where another process has made the stream non-blocking

_Chunk = tuple[int, bytes]


def protect_streams() -> None:
    """Puts unfailing streams in the place of sys.stdout and sys.stderr, and opens those of 0, 1 and 2 that are closed.

    For the start of a process: once a file or a socket has been opened, it has the number of a closed stream, and all
    that is printed goes there. A stream that somebody has replaced already (a test) is left alone.
    """
    _writer.prepare_ends()
    for fd in range(3):
        _open_if_closed(fd)
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _unfailing(sys.stdout, _STDOUT, "replace")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _unfailing(sys.stderr, _STDERR, "backslashreplace")


def print_in_background() -> None:
    """From now on printing takes no time: a thread writes, and the process goes on. Protects the streams too."""
    protect_streams()
    _writer.use_thread()


def flush_streams() -> bool:
    """Returns when all that was printed is written, or its reader takes nothing any more (False). To be called before
    another process goes on printing to the same place."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # of a stream that is not ours
            stream.flush()
    return _writer.drain()


def require_output() -> None:
    """Raises SttLoadError where what was printed could not be written. For the end of a command that only prints; a
    reader that had read enough (`| head`) is no error."""
    flush_streams()
    if (lost := _writer.lost_output()) is not None:
        _writer.errors.clear()
        raise SttLoadError(lost)


class _Writer:
    """Writes chunks to file descriptors, at once or in a thread, and notes what went wrong.

    Both streams share it, so that what goes to the same place stays in order.
    """

    def __init__(self) -> None:
        self.errors: dict[int, OSError] = {}  # file descriptor → its newest
        self._queue: SimpleQueue[_Chunk | SimpleQueue[None]] | None = None  # None: written at once
        self._has_thread = False
        self._n_dropped = 0
        self._is_prepared = False

    def prepare_ends(self) -> None:
        """Once in a process: it ends with all written, and a child of it has a thread of its own."""
        if not self._is_prepared:
            self._is_prepared = True
            atexit.register(self._finish)
            os.register_at_fork(after_in_child=self._start_again)

    def use_thread(self) -> None:
        """The thread itself starts with the first chunk: until then the process may fork as one without threads."""
        self._queue = self._queue or SimpleQueue()

    def _start_again(self) -> None:
        """In a child, to which no thread of its parent has come. What the parent had still to write is not ours."""
        if self._queue is not None:
            self._queue, self._has_thread = SimpleQueue(), False

    def write(self, fd: int, data: bytes) -> None:
        if self._queue is None:
            self._write_out(fd, data)
            return
        if not self._has_thread:
            self._has_thread = True
            _start_thread(self._run)
        self._queue.put((fd, data))
        while self._queue.qsize() > _CHUNKS_AT_MOST:
            with contextlib.suppress(Empty):
                self._queue.get_nowait()
                self._n_dropped += 1

    def drain(self) -> bool:
        """Waits for the thread, as long as it gets on. False where it stands still."""
        if self._queue is None or not self._has_thread:
            return True
        done: SimpleQueue[None] = SimpleQueue()
        self._queue.put(done)
        left = self._queue.qsize() + 1
        while self._queue.qsize() < left:
            left = self._queue.qsize()
            with contextlib.suppress(Empty):
                done.get(timeout=_STANDSTILL_LIMIT_S)
                return True
        return False

    def _finish(self) -> None:
        """The process ends: whatever is still printed after this is written at once, if somebody reads."""
        is_read = flush_streams()
        dropped = f"{self._n_dropped:,} pieces of output were dropped: nobody read them" if self._n_dropped else None
        for line in filter(None, (self.lost_output(), dropped)):
            self.write(_STDERR, f"warning: {line}\n".encode())
        if is_read and self.drain():
            self._queue = None

    def lost_output(self) -> str | None:
        """Why standard output is not whole, in one line; None where it is, or its reader has closed it."""
        error = self.errors.get(_STDOUT)
        if error is None or error.errno == errno.EPIPE:
            return None
        return f"standard output can't be written: {error.strerror or error}"

    def _run(self) -> None:
        queue = self._queue
        while queue is not None and queue is self._queue:
            chunk = queue.get()
            if isinstance(chunk, tuple):
                self._write_out(*chunk)
            else:
                chunk.put(None)

    def _write_out(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                with contextlib.suppress(Empty):  # a sleep that is no greenlet's
                    SimpleQueue().get(timeout=_FULL_PAUSE_S)
            except OSError as error:
                self.errors[fd] = error
                return


_writer = _Writer()


class _UnfailingFile(io.RawIOBase):
    """A standard stream's file, which takes everything."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]
        _writer.write(self._fd, chunk)
        return len(chunk)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)


def _unfailing(stream: io.TextIOWrapper | None, fd: int, errors: str) -> io.TextIOWrapper:
    """The stream in the place of Python's own, which is None where its file was closed. `errors`: what becomes of a
    character that the terminal's encoding lacks."""
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.flush()
    file = _UnfailingFile(fd)
    is_unbuffered = getattr(stream, "write_through", False)  # PYTHONUNBUFFERED, as container images set it
    return io.TextIOWrapper(
        cast("BinaryIO", file) if is_unbuffered else io.BufferedWriter(file),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=errors,
        line_buffering=fd == _STDERR or getattr(stream, "line_buffering", False),
        write_through=is_unbuffered,
    )


def _open_if_closed(fd: int) -> None:
    try:
        os.fstat(fd)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, fd)  # inheritable, where os.open's is not
        if null != fd:
            os.close(null)


def _start_thread(function: Callable[[], None]) -> None:
    """Starts a thread of the operating system, also where gevent has put greenlets in the place of threads."""
    monkey = sys.modules.get("gevent.monkey")
    start = _thread.start_new_thread if monkey is None else monkey.get_original("_thread", "start_new_thread")
    start(function, ())

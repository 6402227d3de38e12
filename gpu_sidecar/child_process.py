"""Starts tools as child processes in sessions of their own, and signals a tool with all that it started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

# Runs in front of the tool in its own process, so that the tool ends when we are killed. Done here and not with
# preexec_fn, which may hang in a process that has threads. PR_SET_PDEATHSIG (1) watches the *thread* that started
# the child, so that thread must live as long as the child. SIGKILL, since the tool may be stopped. Where there is no
# prctl, the tool's terminal hangs up with us (SIGHUP, which nohup ignores), or its pipe breaks (SIGPIPE, which Python
# ignores): exec would hand the ignoring on.
_TIE_TO_PARENT = """\
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except (ImportError, OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    import fcntl, termios
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)
except (ImportError, OSError):
    pass
for number in (signal.SIGPIPE, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit("%s can't be run: %s" % (sys.argv[2], error.strerror))
"""

# Rows and columns of the terminal. A tool may repeat its header a screenful, and must not break a line.
_SCREEN = (50, 500)

_READ_BYTES = 64 * 1024


def spawn(command: Sequence[str], stderr: int) -> subprocess.Popen[bytes]:
    """Starts a tool with a pipe for stdout, and nothing to read. `stderr` is a constant of subprocess.

    It gets a session of its own: Ctrl-C only reaches us, and `signal_session` reaches all that it started. Raises
    OSError if it can't be run.
    """
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    )


class OutputTooLong(Exception):
    """A tool has printed more than it ever should."""


def read_to_end(tool: subprocess.Popen[bytes], timeout_s: float, max_bytes: int) -> tuple[bytes, bytes]:
    """All that a tool of `spawn` prints on stdout and stderr (a pipe too), until it has ended.

    Raises subprocess.TimeoutExpired, or OutputTooLong where it has printed more than `max_bytes`; the tool runs then.
    """
    assert tool.stdout is not None and tool.stderr is not None
    deadline = time.monotonic() + timeout_s
    printed = {tool.stdout.fileno(): bytearray(), tool.stderr.fileno(): bytearray()}
    poll = select.poll()
    for file in printed:
        poll.register(file, select.POLLIN)
    with tool.stdout, tool.stderr:
        n_open = len(printed)
        while n_open:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise subprocess.TimeoutExpired(tool.args, timeout_s)
            for file, _ in poll.poll(1000.0 * left_s):
                chunk = os.read(file, _READ_BYTES)
                printed[file] += chunk
                if not chunk:
                    poll.unregister(file)
                    n_open -= 1
            if sum(map(len, printed.values())) > max_bytes:
                raise OutputTooLong
        tool.wait(max(0.0, deadline - time.monotonic()))
    out, errors = map(bytes, printed.values())
    return out, errors


class FollowedTool(NamedTuple):
    """A tool whose output is read while it runs, through two descriptors: `reader` of its stdout, `errors` of its
    stderr, which never blocks. `why_pipe`: why its stdout is a pipe; "" for a terminal."""

    process: subprocess.Popen[bytes]
    reader: int
    errors: int
    why_pipe: str

    def close(self) -> None:
        """Closes both descriptors; a tool that still runs on a terminal is hung up on."""
        os.close(self.reader)
        os.close(self.errors)


def spawn_line_by_line(command: Sequence[str], environment: Mapping[str, str]) -> FollowedTool:
    """Starts a tool whose lines come as soon as it prints them: its stdout is a terminal of its own.

    On a pipe the C library keeps output back until it has 4 KiB, half a minute of `nvidia-smi dmon`. Only where no
    pseudo-terminal is to be had it gets a pipe. stderr is a pipe, on which nothing is kept back: what it says there
    can't fall into a row. Like `spawn` otherwise; `environment` is added to ours.
    """
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as the_tools:
        reader, writer, why_pipe = _terminal_or_pipe()
        ours.callback(os.close, reader)
        the_tools.callback(os.close, writer)
        errors, errors_writer = os.pipe()
        ours.callback(os.close, errors)
        the_tools.callback(os.close, errors_writer)
        os.set_blocking(errors, False)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=errors_writer,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        ours.pop_all()
    return FollowedTool(process, reader, errors, why_pipe)


def read_output(reader: int, n_bytes: int) -> bytes:
    """Reads what a tool of `spawn_line_by_line` has printed; empty once nobody can print any more, or if `errors` has
    nothing now."""
    try:
        return os.read(reader, n_bytes)
    except OSError:  # so Linux says that no process has the terminal open any more (EIO)
        return b""


def _terminal_or_pipe() -> tuple[int, int, str]:
    """Two descriptors, the one to read from and the one that a tool writes to, and why they are no terminal."""
    try:
        reader, writer = os.openpty()
    except OSError as error:
        return (*os.pipe(), error.strerror or str(error))
    with contextlib.suppress(OSError, termios.error):
        # Raw: a line ends as the tool ended it, and no character is a command.
        tty.setraw(writer)
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", *_SCREEN, 0, 0))
    return reader, writer, ""


def tied_to_us(command: Sequence[str]) -> list[str]:
    """The command, whose first word is a path, made to end when the thread that starts it ends, even by SIGKILL."""
    # -I -S ignores the user's Python set-up and starts in a third of the time.
    return [sys.executable, "-I", "-S", "-c", _TIE_TO_PARENT, str(os.getpid()), *command]


def signal_session(child: subprocess.Popen[bytes], *numbers: signal.Signals) -> None:
    """Sends signals to a child that has not been waited for, and to all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        for number in numbers:
            os.killpg(child.pid, number)

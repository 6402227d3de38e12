"""Starts tools as child processes in sessions of their own, and signals a tool with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

# Runs in front of the tool in its own process, so that the tool ends when we are killed. Done here and not with
# preexec_fn, which may hang in a process that has threads. PR_SET_PDEATHSIG (1) watches the *thread* that started
# the child, so that thread must live as long as the child. SIGKILL, since the tool may be stopped. Where there is no
# prctl, it ends at its next line, by SIGPIPE: Python ignores that signal and exec would hand the ignoring on.
_TIE_TO_PARENT = """\
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except (ImportError, OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""


def spawn(command: Sequence[str], stderr: int) -> subprocess.Popen[bytes]:
    """Starts a tool with a pipe for stdout, and nothing to read. `stderr` is a constant of subprocess.

    It gets a session of its own: Ctrl-C only reaches us, and `signal_session` reaches all that it started. Raises
    OSError if it can't be run.
    """
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    )


def tied_to_us(command: Sequence[str]) -> list[str]:
    """The command, whose first word is a path, made to end when the thread that starts it ends, even by SIGKILL."""
    # -I -S ignores the user's Python set-up and starts in a third of the time.
    return [sys.executable, "-I", "-S", "-c", _TIE_TO_PARENT, str(os.getpid()), *command]


def signal_session(child: subprocess.Popen[bytes], *numbers: signal.Signals) -> None:
    """Sends signals to a child that has not been waited for, and to all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        for number in numbers:
            os.killpg(child.pid, number)

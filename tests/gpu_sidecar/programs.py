"""Real processes to observe: Python programs that print `ready` and are killed, with their children, at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stand_in import read_line

IDLE = "print('ready', flush=True); import time; time.sleep(600)"

# Says the pid of its child first; both idle. Told to (a line on stdin), it ends and leaves the child behind.
WITH_CHILD = """\
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
sys.stdin.readline()
"""

LISTENING = """\
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""

BURNING = "print('ready', flush=True)\nwhile True: pass"


@contextmanager
def program(code: str, *arguments: str, said: list[str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Runs from its first line on stdout (put into `said`) to the end of the block, when its session is killed."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        line = read_line(process)
        if said is not None:
            said.append(line)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

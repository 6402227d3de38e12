"""Imports Locust once, and runs each program that in_locust.py sends in a fork of itself, as Locust does with workers.

A line of standard input is a program, and a line of standard output what became of it.
"""

from __future__ import annotations

import json
import os
import sys
from tempfile import TemporaryFile

import gevent
import locust  # noqa: F401 - it patches the process
from gevent.monkey import get_original

from stt_load.locust_plugin import hooks  # noqa: F401 - what most programs need, and takes long too

_fork, _waitpid = get_original("os", ["fork", "waitpid"])  # gevent's own wait in a hub, which forks would inherit


def become(program: str, output: int, errors: int) -> None:
    """Runs the program in this process, with these files for what it prints, and ends the process as it would end."""
    gevent.reinit()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    sys.exit()


def run(program: str) -> tuple[int, str, str]:
    """Its exit code (that of a signal is negative), and what it has printed to standard output and error."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        pid = _fork()
        if pid == 0:
            become(program, output.fileno(), errors.fileno())
        code = os.waitstatus_to_exitcode(_waitpid(pid, 0)[1])
        for file in (output, errors):
            file.seek(0)
        return code, output.read().decode(), errors.read().decode()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)

"""Runs Locust as a child process, for commands that go on when it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial

from stt_load.process.ending_signals import die_with_parent, heard, held_back, restore
from stt_load.process.standard_streams import flush_streams


def run_locust(line: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit code of Locust with this command line. It ends with us, even of kill -9, and every ending signal is
    passed on to it: what a terminal has sent to both of us comes twice and counts once."""
    flush_streams()
    with held_back():  # until there is a child that it can be passed on to, and until that child hears it
        tied_to_us = partial(die_with_parent, os.getpid())
        child = subprocess.Popen(line, stdin=subprocess.DEVNULL, env=environment, preexec_fn=tied_to_us)
        before = {number: signal.signal(number, lambda number, _: child.send_signal(number)) for number in heard()}
    try:
        code = child.wait()
        return code if code >= 0 else 128 - code  # ended by a signal: the number that a shell makes of it
    finally:
        restore(before)

"""Programs that import Locust, run in processes of their own: importing it patches the process.

It takes most of a second as well, so one process does it for all: each program runs in a fork of that one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


def run_with_locust(program: str) -> str:
    """What the program prints."""
    forks = process_with_locust()
    assert forks.stdin is not None and forks.stdout is not None
    forks.stdin.write(json.dumps(program) + "\n")
    forks.stdin.flush()
    if not select.select([forks.stdout], [], [], PATIENCE_S)[0]:
        os.killpg(forks.pid, signal.SIGKILL)
        process_with_locust.cache_clear()
        raise AssertionError("the program has not come to its end")
    code, output, errors = json.loads(forks.stdout.readline())
    assert code == 0, errors or code
    return str(output)


@cache
def process_with_locust() -> subprocess.Popen[str]:
    """It ends with its standard input, and so with us."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.locust_plugin.locust_forks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        process_group=0,
    )
    atexit.register(process.communicate)
    return process

"""Workers of --processes are not waited for without an end, whatever they do: real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stt_load.locust_plugin.cluster.own_workers import end_workers, is_alive, own_workers

LEAVES = "print('ready', flush=True); import sys; sys.stdin.read()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LEAVES


@pytest.fixture
def start() -> Iterator[object]:
    with ExitStack() as stack:

        def starter(program: str) -> subprocess.Popen[bytes]:
            line = [sys.executable, "-c", program]
            child = stack.enter_context(subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            stack.callback(child.kill)
            assert child.stdout is not None
            child.stdout.readline()
            return child

        yield starter


def test_a_worker_leaves_by_itself_or_is_told_or_is_killed(start: object) -> None:
    willing, slow, stopped, deaf = (start(program) for program in (LEAVES, LEAVES, LEAVES, DEAF))  # type: ignore[operator]
    stopped.send_signal(signal.SIGSTOP)
    workers = [child.pid for child in (willing, slow, stopped, deaf)]
    assert set(workers) <= set(own_workers())
    assert all(map(is_alive, workers))
    willing.stdin.close()
    willing.wait(60)
    end_workers(workers, leave_s=0.1, hurry_s=2.0)
    codes = [child.wait(60) for child in (willing, slow, stopped, deaf)]
    assert codes == [0, -signal.SIGTERM, -signal.SIGTERM, -signal.SIGKILL]
    assert not any(map(is_alive, workers))

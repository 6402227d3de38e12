"""Tools as child processes: their sessions, and what ties them to the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess

from stand_in import DEADLINE_S, eventually, is_running

from gpu_sidecar.child_process import signal_session, spawn, tied_to_us

# Prints the pid of its child; both idle.
WITH_CHILD = ["/bin/sh", "-c", "sleep 600 & echo $!; wait"]


def test_a_signal_reaches_all_that_a_tool_has_started() -> None:
    with spawn(WITH_CHILD, stderr=subprocess.DEVNULL) as tool:
        assert tool.stdout is not None
        child = int(tool.stdout.readline())
        assert os.getsid(child) == tool.pid != os.getsid(0)
        signal_session(tool, signal.SIGKILL)
        assert tool.wait(DEADLINE_S) == -signal.SIGKILL
    eventually(lambda: not is_running(child))


def test_a_tool_that_has_ended_gets_no_signal() -> None:
    with spawn(["/bin/true"], stderr=subprocess.DEVNULL) as tool:
        tool.wait(DEADLINE_S)
        signal_session(tool, signal.SIGTERM, signal.SIGCONT)
    assert tool.returncode == 0


def test_a_tool_runs_unless_its_starter_has_ended_before_it_was_tied_to_it() -> None:
    command = tied_to_us(["/bin/echo", "started"])
    orphaned = ["0" if word == str(os.getpid()) else word for word in command]
    assert orphaned != command
    runs = [subprocess.run(each, capture_output=True, timeout=DEADLINE_S, check=False) for each in (command, orphaned)]
    assert [(run.returncode, run.stdout) for run in runs] == [(0, b"started\n"), (1, b"")]

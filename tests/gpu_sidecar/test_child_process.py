"""Tools as child processes: their sessions, and what ties them to the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from stand_in import DEADLINE_S, eventually, is_running

from gpu_sidecar.child_process import read_output, signal_session, spawn, spawn_line_by_line, tied_to_us

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


def output_of(command: list[str], environment: dict[str, str] | None = None) -> bytes:
    tool, reader = spawn_line_by_line(command, environment or {})
    with tool:
        try:
            chunks = list(iter(lambda: read_output(reader, 1000), b""))
        finally:
            os.close(reader)
    return b"".join(chunks)


def test_a_tool_on_a_terminal_is_read_to_its_end_and_byte_for_byte() -> None:
    """No CR is added, tabs stay, and what would be a command to a terminal is a byte like others."""
    text = "one\ttwo\\n\\003\\004\\032three\\n"
    assert output_of(["/usr/bin/printf", text]) == b"one\ttwo\n\x03\x04\x1athree\n"
    long = output_of(["/bin/sh", "-c", "for n in $(seq 20000); do echo line $n; done"])
    assert long.decode().splitlines() == [f"line {n}" for n in range(1, 20_001)]


def test_both_outputs_of_a_tool_are_read_and_its_variables_are_set() -> None:
    assert output_of(["/bin/sh", "-c", "echo $HELLO; echo bad >&2"], {"HELLO": "world"}) == b"world\nbad\n"


def test_the_terminal_is_wide_and_there_is_nothing_to_read_and_no_signal_from_it() -> None:
    assert output_of(["/bin/sh", "-c", "stty size < /proc/self/fd/1"]) == b"50 500\n"
    assert output_of(["/bin/sh", "-c", "cat; test -t 1 && echo terminal"]) == b"terminal\n"


def test_without_terminals_a_tool_gets_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[int, int]:
        raise OSError(2, "no such device")

    monkeypatch.setattr(os, "openpty", none)
    assert output_of(["/bin/sh", "-c", "test -t 1 || echo pipe"]) == b"pipe\n"


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_a_tool_that_cannot_be_run_leaves_no_descriptor_open() -> None:
    before = open_descriptors()
    with pytest.raises(FileNotFoundError):
        spawn_line_by_line(["/no/such/tool"], {})
    assert open_descriptors() == before


def test_a_tied_tool_is_hung_up_on_when_nobody_reads_its_terminal_any_more() -> None:
    tool, reader = spawn_line_by_line(tied_to_us(["/bin/sh", "-c", "echo $$; sleep 600"]), {})
    with tool:
        assert int(read_output(reader, 100)) == tool.pid
        os.close(reader)
        assert tool.wait(DEADLINE_S) == -signal.SIGHUP

"""Tools as child processes: their sessions, and what ties them to the process that started them."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from stand_in import DEADLINE_S, eventually, is_running

from gpu_sidecar.child_process import (
    OutputTooLong,
    read_output,
    read_to_end,
    signal_session,
    spawn,
    spawn_line_by_line,
    tied_to_us,
)

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


def test_all_that_a_tool_prints_is_read_until_it_has_ended() -> None:
    with spawn(["/bin/sh", "-c", "seq 20000; echo bad >&2; exit 3"], stderr=subprocess.PIPE) as tool:
        out, errors = read_to_end(tool, DEADLINE_S, 1 << 20)
    assert out.decode().splitlines() == [str(n) for n in range(1, 20_001)]
    assert (errors, tool.returncode) == (b"bad\n", 3)


@pytest.mark.parametrize(
    ("script", "timeout_s", "error"),
    [("yes", DEADLINE_S, OutputTooLong), ("sleep 600", 0.1, subprocess.TimeoutExpired)],
)
def test_a_tool_that_prints_without_an_end_or_never_is_given_up(
    script: str, timeout_s: float, error: type[Exception]
) -> None:
    with spawn(["/bin/sh", "-c", script], stderr=subprocess.PIPE) as tool:
        with pytest.raises(error):
            read_to_end(tool, timeout_s, 1 << 20)
        signal_session(tool, signal.SIGKILL)


def output_of(command: list[str], environment: dict[str, str] | None = None) -> bytes:
    """Its stdout."""
    tool = spawn_line_by_line(command, environment or {})
    with tool.process, closing(tool):
        return b"".join(iter(lambda: read_output(tool.reader, 1000), b""))


def test_a_tool_on_a_terminal_is_read_to_its_end_and_byte_for_byte() -> None:
    """No CR is added, tabs stay, and what would be a command to a terminal is a byte like others."""
    text = "one\ttwo\\n\\003\\004\\032three\\n"
    assert output_of(["/usr/bin/printf", text]) == b"one\ttwo\n\x03\x04\x1athree\n"
    long = output_of(["/bin/sh", "-c", "for n in $(seq 20000); do echo line $n; done"])
    assert long.decode().splitlines() == [f"line {n}" for n in range(1, 20_001)]


def test_both_outputs_of_a_tool_are_read_apart_and_its_variables_are_set() -> None:
    """What it says on stderr can't fall into the middle of a line."""
    tool = spawn_line_by_line(["/bin/sh", "-c", "printf 'hello '; printf bad >&2; echo $HELLO"], {"HELLO": "world"})
    with tool.process, closing(tool):
        output = b"".join(iter(lambda: read_output(tool.reader, 1000), b""))
        assert (output, read_output(tool.errors, 1000)) == (b"hello world\n", b"bad")
    assert tool.why_pipe == ""


def test_reading_what_a_tool_has_not_said_on_stderr_waits_for_nobody() -> None:
    tool = spawn_line_by_line(["/bin/sh", "-c", "sleep 600"], {})
    with tool.process, closing(tool):
        assert read_output(tool.errors, 1000) == b""
        signal_session(tool.process, signal.SIGKILL)


def test_the_terminal_is_wide_and_there_is_nothing_to_read_and_no_signal_from_it() -> None:
    assert output_of(["/bin/sh", "-c", "stty size < /proc/self/fd/1"]) == b"50 500\n"
    assert output_of(["/bin/sh", "-c", "cat; test -t 1 && echo terminal"]) == b"terminal\n"


def test_without_terminals_a_tool_gets_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "openpty", none)
    tool = spawn_line_by_line(["/bin/sh", "-c", "test -t 1 || echo pipe"], {})
    with tool.process, closing(tool):
        assert b"".join(iter(lambda: read_output(tool.reader, 1000), b"")) == b"pipe\n"
    assert tool.why_pipe == "No space left on device"


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_a_tool_that_cannot_be_run_leaves_no_descriptor_open() -> None:
    before = open_descriptors()
    with pytest.raises(FileNotFoundError):
        spawn_line_by_line(["/no/such/tool"], {})
    assert open_descriptors() == before


def test_a_tool_has_no_descriptor_of_ours_but_its_own_three() -> None:
    with socket.socket(), tempfile.TemporaryFile():
        names = output_of(["/bin/sh", "-c", "ls -l /proc/$$/fd"]).decode().splitlines()
    assert len([name for name in names if "->" in name]) == 3, names


def test_a_tied_tool_is_hung_up_on_when_nobody_reads_its_terminal_any_more() -> None:
    """Even one that was started where hanging up is ignored, as by nohup."""
    code = """\
import os, signal, sys
from gpu_sidecar.child_process import read_output, spawn_line_by_line, tied_to_us
signal.signal(signal.SIGHUP, signal.SIG_IGN)
tool = spawn_line_by_line(tied_to_us(["/bin/sh", "-c", "echo $$; sleep 600"]), {})
assert int(read_output(tool.reader, 100)) == tool.process.pid
tool.close()
print(tool.process.wait())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=DEADLINE_S, check=True)
    assert int(done.stdout) == -signal.SIGHUP


# Says the controlling terminal of a session's leader (the field tty_nr of /proc/PID/stat) before and after it has
# started a tool, and the tool's.
TERMINALS = """\
import signal
from pathlib import Path
from gpu_sidecar.child_process import read_output, signal_session, spawn_line_by_line, tied_to_us
def terminal_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4])
before = terminal_of("self")
tool = spawn_line_by_line(tied_to_us(["/bin/sh", "-c", "echo ready; sleep 600"]), {})
read_output(tool.reader, 100)
print(before, terminal_of("self"), terminal_of(tool.process.pid))
signal_session(tool.process, signal.SIGKILL)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_terminal_of_a_tool_becomes_nobody_elses_terminal() -> None:
    """A leader of a session without a terminal, as under systemd, would get the first one that it opens."""
    done = subprocess.run(
        [sys.executable, "-c", TERMINALS], capture_output=True, timeout=DEADLINE_S, check=True, start_new_session=True
    )
    before, after, the_tools = map(int, done.stdout.split())
    assert before == after == 0 != the_tools

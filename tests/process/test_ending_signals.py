"""Programs that hear the signals that end them, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stt_load.errors import ExitCode
from stt_load.process import ending_signals
from stt_load.process.ending_signals import ENDING, REPEATED_AFTER_S

# In short turns: Python doesn't see a signal that comes just before it falls asleep until it wakes up again.
WAIT = "for _ in range(60_000): time.sleep(0.01)"

EACH = pytest.mark.parametrize("number", ENDING)

COUNTS = f"""
import signal, time
from stt_load.process.ending_signals import hear
hear(lambda number: print("heard", number.name, flush=True))
print("ready", flush=True)
{WAIT}
"""
IMPORTS = f"""
from stt_load.process.ending_signals import hear_before_start
hear_before_start()
print("ready", flush=True)
import time
{WAIT}
"""


@contextmanager
def program(source: str, **how: object) -> Iterator[subprocess.Popen[str]]:
    """Runs it from the line that says that it is ready."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", source], text=True, **{**streams, **how})
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def rest(child: subprocess.Popen[str]) -> tuple[str, str]:
    """What else it prints, and its errors, until it ends."""
    assert child.stdout is not None
    assert child.stderr is not None
    told = child.stdout.read(), child.stderr.read()
    child.wait(60)
    return told


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@EACH
def test_what_comes_again_at_once_is_the_same_signal_and_a_second_one_leaves(number: signal.Signals) -> None:
    waits = f"import time\ntime.sleep({2 * REPEATED_AFTER_S})\nprint('later', flush=True)\n"
    act = "lambda number: print('heard', number.name, flush=True)"
    again = "\n".join(f"os.kill(os.getpid(), {int(number)})" for _ in range(3))
    source = f"import os\nfrom stt_load.process.ending_signals import hear\nhear({act})\n"
    source += f"print('ready', flush=True)\n{again}\n"
    with program(source + waits + f"os.kill(os.getpid(), {int(number)})\nprint('still here')") as child:
        assert rest(child) == (f"heard {number.name}\nlater\n", "")
    assert child.returncode == 128 + number


@EACH
def test_before_anything_is_started_a_signal_leaves_with_one_line(number: signal.Signals) -> None:
    with program(IMPORTS) as child:
        child.send_signal(number)
        assert rest(child) == ("", "interrupted before anything was started\n")
    assert child.returncode == ExitCode.ABORTED == ending_signals._INTERRUPTED


def test_a_terminal_that_is_stopped_keeps_no_process() -> None:
    ours, terminal = os.openpty()
    termios.tcflow(terminal, termios.TCOOFF)  # as Ctrl-S does
    with program(IMPORTS, stderr=terminal) as child:
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == ExitCode.ABORTED
    assert os.get_blocking(terminal)
    os.close(ours)
    os.close(terminal)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_what_nohup_and_a_shell_have_it_ignore_stays_ignored(number: signal.Signals) -> None:
    with program(COUNTS, preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as child:
        child.send_signal(number)
        child.send_signal(signal.SIGTERM)
        assert said(child) == "heard SIGTERM"


def test_ctrl_c_is_heard_in_the_background_of_a_script_too() -> None:
    with program(COUNTS, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as child:
        child.send_signal(signal.SIGINT)
        assert said(child) == "heard SIGINT"


def test_a_program_that_is_started_while_signals_are_held_back_hears_them_once_it_listens() -> None:
    source = f"""
import os, signal, subprocess, sys
from stt_load.process.ending_signals import hear, held_back
hear(lambda number: print("heard here", flush=True))
print("ready", flush=True)
with held_back():
    child = subprocess.Popen([sys.executable, "-c", {IMPORTS!r}], stdout=subprocess.PIPE)
    child.terminate()
    os.kill(os.getpid(), signal.SIGTERM)
    print("not yet", flush=True)
print(child.wait(), flush=True)
"""
    with program(source) as child:
        assert rest(child)[0].splitlines() == ["not yet", "heard here", str(int(ExitCode.ABORTED))]


def test_a_fork_ends_with_its_parent() -> None:
    source = """
import os, signal, time
from stt_load.process.ending_signals import end_with_parent_after_fork, hear
end_with_parent_after_fork()
reading, writing = os.pipe()
if os.fork() == 0:
    hear(lambda number: (print("child heard", number.name, flush=True), os._exit(0)))
    os.write(writing, b"x")
    time.sleep(600)
os.read(reading, 1)
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with program(source) as child:
        assert said(child) == "child heard SIGTERM"


@pytest.mark.parametrize("is_for_all", [False, True])
def test_a_program_that_is_deaf_in_a_long_call_hears_signals_in_the_process_that_waits_for_it(is_for_all: bool) -> None:
    source = """
from stt_load.process.ending_signals import go_on_in_fork
go_on_in_fork()
print("ready", flush=True)
sum(range(10**12))
"""
    with program(source, process_group=0) as child:
        (os.killpg if is_for_all else os.kill)(child.pid, signal.SIGINT)
        assert rest(child) == ("", "interrupted\n")
    assert child.returncode == ExitCode.ABORTED


@pytest.mark.parametrize(("how", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("print('done')", 0)])
def test_a_fork_that_ends_by_itself_gives_its_exit_code(how: str, code: int) -> None:
    source = f"""
import os, sys
from stt_load.process.ending_signals import go_on_in_fork
go_on_in_fork()
print("ready", flush=True)
{how}
"""
    with program(source) as child:
        rest(child)
    assert child.returncode == code


def test_handlers_are_those_of_before_after_the_block() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    heard: list[signal.Signals] = []
    with ending_signals.hearing(heard.append):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 10)  # the handler comes before the next instruction, or ends this wait
    assert heard == [signal.SIGTERM]
    assert [signal.getsignal(number) for number in ENDING] == before

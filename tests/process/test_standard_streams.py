"""Standard streams in every bad state: closed, full, without a reader, with one that reads nothing."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

LIMIT_S = 60

SYNCHRONOUS = "from stt_load.process.standard_streams import *; protect_streams()\n"
BACKGROUND = "from stt_load.process.standard_streams import *; print_in_background()\n"
WAYS = pytest.mark.parametrize("start", [SYNCHRONOUS, BACKGROUND], ids=["at once", "in the background"])


@pytest.fixture(autouse=True)
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is printed is one piece, as where nobody sets the variable."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def child(
    program: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    closed: tuple[int, ...] = (),
    also_open: tuple[int, ...] = (),
) -> subprocess.Popen[str]:
    """A Python process that runs the program, with these of its standard streams closed."""
    close: Callable[[], None] | None = partial(close_all, closed) if closed else None
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=None if 0 in closed else subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        preexec_fn=close,
        pass_fds=also_open,
    )


def close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a process that ends by itself."""
    try:
        output, errors = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    return process.returncode, output or "", errors or ""


@WAYS
def test_closed_streams_take_everything_and_no_file_gets_their_number(start: str, tmp_path: Path) -> None:
    file = tmp_path / "rows"
    program = f"""
file = open({str(file)!r}, "w")
print("lost", flush=True)
print("lost too", file=__import__("sys").stderr)
file.write("a row" if file.fileno() > 2 else "in the place of a stream")
file.close()
raise SystemExit(3)
"""
    assert ended(child(start + program, closed=(0, 1, 2)))[0] == 3
    assert file.read_text() == "a row"


@WAYS
def test_a_full_disk_is_told_and_the_exit_code_stays(start: str) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, errors = ended(child(start + "print('x' * 100_000, flush=True); raise SystemExit(3)", full.fileno()))
    assert code == 3
    assert errors == "warning: standard output can't be written: No space left on device\n"


@WAYS
def test_a_reader_that_goes_away_is_no_trouble_to_anybody(start: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = child(start + "for n in range(1000): print(n, flush=True)\nraise SystemExit(3)", writing)
    os.close(writing)
    assert ended(process) == (3, "", "")


@pytest.mark.parametrize(
    "before", ["", "from gevent import monkey; monkey.patch_all()\n"], ids=["plain", "under gevent"]
)
def test_a_reader_that_reads_nothing_holds_nobody_up_and_gets_everything_in_the_end(before: str) -> None:
    """A pipe holds 64 KiB, and there are 15 times as many. gevent puts greenlets in the place of threads: one of those
    that waited in the kernel would hold up the whole process."""
    told, tell = os.pipe()
    program = f"""
import os
for n in range(1000):
    print(n, "x" * 1000, flush=True)
print("done", flush=True)
os.write({tell}, b"measured")
"""
    process = child(before + BACKGROUND + program, also_open=(tell,))
    os.close(tell)
    try:
        assert select.select([told], [], [], LIMIT_S)[0]
        assert os.read(told, 100) == b"measured"
    finally:
        code, output, errors = ended(process)
        os.close(told)
    assert (code, errors) == (0, "")
    assert [line.split()[0] for line in output.splitlines()] == [*map(str, range(1000)), "done"]


def test_a_process_does_not_wait_for_ever_for_a_reader_that_reads_nothing() -> None:
    hurry = "import stt_load.process.standard_streams as streams; streams._STANDSTILL_LIMIT_S = 0.2\n"
    process = child(hurry + BACKGROUND + "for n in range(1000): print('x' * 1000, flush=True)\nraise SystemExit(3)")
    try:
        assert process.wait(LIMIT_S) == 3
    finally:
        process.kill()
        process.communicate()


def test_what_is_dropped_for_a_reader_that_is_too_slow_is_told() -> None:
    told, tell = os.pipe()
    few = "import stt_load.process.standard_streams as streams; streams._CHUNKS_AT_MOST = 20\n"
    program = f"for n in range(1000): print(n, 'x' * 1000, flush=True)\nimport os; os.write({tell}, b'measured')"
    process = child(few + BACKGROUND + program, also_open=(tell,))
    os.close(tell)
    try:
        assert select.select([told], [], [], LIMIT_S)[0]
    finally:
        code, output, errors = ended(process)
        os.close(told)
    n_printed = len(output.splitlines())
    assert (code, n_printed < 1000, output.splitlines()[-1].split()[0]) == (0, True, "999")
    assert errors == f"warning: {1000 - n_printed} pieces of output were dropped: nobody read them\n"


@WAYS
def test_a_stream_that_another_process_has_made_non_blocking_loses_nothing(start: str) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = child(start + "print('x' * 100_000, flush=True)", writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert len(pipe.read()) == 100_001
    assert ended(process)[0] == 0


@WAYS
def test_both_streams_into_one_file_stay_in_order_and_a_fork_repeats_nothing(start: str, tmp_path: Path) -> None:
    program = """
import os, sys, warnings
warnings.simplefilter("ignore")  # of Python from 3.12, about every fork beside a thread
for n in range(3):
    print("out", n, flush=True)
    print("err", n, file=sys.stderr)
flush_streams()
if not os.fork():
    print("child", flush=True)
    sys.exit()
os.wait()
print("parent")
"""
    with (tmp_path / "log").open("w+") as log:
        assert ended(child(start + program, log.fileno(), subprocess.STDOUT))[0] == 0
        log.seek(0)
        assert log.read().split("\n") == [
            *(f"{name} {n}" for n in range(3) for name in ("out", "err")),
            "child",
            "parent",
            "",
        ]


def test_an_unbuffered_process_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")  # as container images do
    assert ended(child(SYNCHRONOUS + "import os; print('seen', end=''); os._exit(0)")) == (0, "seen", "")


def test_a_character_that_the_terminal_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert ended(child(BACKGROUND + "print('\\u25cf \\ud83d', flush=True)"))[:2] == (0, "? ?\n")


def test_a_command_that_only_prints_fails_where_that_is_lost_but_not_where_the_reader_has_enough() -> None:
    program = """
from stt_load.errors import SttLoadError
print("x", flush=True)
try:
    require_output()
except SttLoadError as error:
    raise SystemExit(1)
"""
    with Path("/dev/full").open("wb") as full:
        assert ended(child(SYNCHRONOUS + program, full.fileno())) == (1, "", "")
    reading, writing = os.pipe()
    os.close(reading)
    process = child(SYNCHRONOUS + program, writing)
    os.close(writing)
    assert ended(process)[0] == 0

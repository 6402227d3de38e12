"""stdout and stderr that nobody reads, that are full, or that are closed."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from stand_in import CHECKOUT, DEADLINE_S

from gpu_sidecar import standard_streams
from gpu_sidecar.standard_streams import StderrHandler, write_line


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for file in (reader, writer):
        with suppress(OSError):
            os.close(file)


def fill(writer: int) -> None:
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)


def empty(reader: int) -> None:
    os.set_blocking(reader, False)
    with suppress(BlockingIOError):
        while True:
            os.read(reader, 65536)
    os.set_blocking(reader, True)


def test_a_line_is_one_line_of_a_bounded_length(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    assert write_line(writer, "two\nlines, \x1b[31mred\x1b]0;title\x07 \u202e \udc00 größer")
    assert os.read(reader, 9999).decode() == "two\\nlines, \\x1b[31mred\\x1b]0;title\\x07 \\u202e \\udc00 größer\n"
    assert write_line(writer, "x" * 9999)
    assert os.read(reader, 9999) == b"x" * 4095 + b"\n"


def test_a_pipe_that_is_full_or_has_no_reader_holds_nobody_up(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    fill(writer)
    assert not write_line(writer, "a line")
    os.close(reader)
    assert not write_line(writer, "a line")
    os.close(writer)
    assert not write_line(writer, "a line")


def test_a_terminal_that_is_paused_holds_nobody_up() -> None:
    """Ctrl-S does that."""
    reader, writer = os.openpty()
    try:
        termios.tcflow(writer, termios.TCOOFF)
        assert not write_line(writer, "a line")
        termios.tcflow(writer, termios.TCOON)
        assert write_line(writer, "a line")
        assert os.read(reader, 100) == b"a line\r\n"
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_a_full_disk_ends_nobody() -> None:
    with Path("/dev/full").open("w") as full:
        assert not write_line(full.fileno(), "a line")


def test_the_log_says_how_many_lines_could_not_be_printed(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    monkeypatch.setattr(standard_streams, "STDERR", writer)
    handler = StderrHandler()
    log = logging.Logger("of this test")
    log.addHandler(handler)
    log.warning("one")
    assert os.read(reader, 9999) == b"one\n"
    fill(writer)
    log.warning("two")
    log.warning("three")
    empty(reader)
    log.warning("%d", "no number")  # nor can this one be made
    log.warning("four")
    log.warning("five")
    assert os.read(reader, 9999) == b"four (3 lines before it could not be printed)\nfive\n"


def test_streams_that_were_closed_are_opened_again() -> None:
    """Or the next file would become stdout."""
    code = """\
import os, sys
sys.path.insert(0, sys.argv[1])
os.closerange(0, 3)
from gpu_sidecar.standard_streams import make_safe
make_safe()
os._exit(os.open(os.devnull, os.O_RDONLY))
"""
    done = subprocess.run([sys.executable, "-c", code, str(CHECKOUT)], timeout=DEADLINE_S, check=False)
    assert done.returncode == 3

"""Commands in processes of their own whose output can't be written: the work is done, and the exit code tells it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_run import made_run

from stt_load.report.report_files import WRITERS

STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]
LOST = "standard output can't be written: No space left on device\n"


def ended(*words: str, output: int) -> tuple[int, str]:
    """Exit code and errors of a command that prints there."""
    done = subprocess.run([*STT_LOAD, *words], stdout=output, stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, done.stderr


@pytest.fixture
def full_disk() -> int:
    with Path("/dev/full").open("wb") as full:
        yield full.fileno()


@pytest.fixture
def gone_reader() -> int:
    """The end of a pipe to which nobody listens, as behind `| true`."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"ref": "one two", "hyp": "one too"}) + "\n", encoding="utf-8")
    return str(file)


def test_a_report_is_written_whoever_sees_it(full_disk: int, tmp_path: Path) -> None:
    folder = made_run(ladder=(1, 5), per_stage=5).write(tmp_path / "run")
    assert ended("report", str(folder), output=full_disk) == (0, f"warning: {LOST}")
    assert all((folder / name).stat().st_size for name in WRITERS)


def test_a_command_that_only_prints_has_failed_where_that_is_lost(full_disk: int, pairs: str, tmp_path: Path) -> None:
    assert ended("score", pairs, output=full_disk) == (1, f"error: {LOST}")
    assert ended("history", str(tmp_path), output=full_disk) == (1, f"error: {LOST}")


@pytest.mark.parametrize("words", [["dialects"], ["score"]], ids=" ".join)
def test_a_reader_that_has_had_enough_is_no_error(words: list[str], gone_reader: int, pairs: str) -> None:
    assert ended(*words, *([pairs] if "score" in words else []), output=gone_reader) == (0, "")

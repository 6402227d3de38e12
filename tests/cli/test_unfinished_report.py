"""`stt-load report` that is killed or told to end while it writes: each file is the old one or the new one, whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from made_run import made_run

from stt_load.process.ending_signals import ENDING
from stt_load.report.report_files import SUMMARY, WRITERS, write_report

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
OLD = "what an earlier report says"


@contextmanager
def reporting(folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`stt-load report` of this folder, which has ended when the block has."""
    line = [sys.executable, "-P", "-m", "stt_load", "report", str(folder)]
    child = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with an old report."""
    folder = made_run(ladder=(1, 5), per_stage=5).write(tmp_path / "run")
    for name in WRITERS:
        (folder / name).write_text(OLD)
    return folder


@pytest.fixture
def new(folder: Path, tmp_path: Path) -> dict[str, str]:
    """The files of the report that is to be written."""
    copy = shutil.copytree(folder, tmp_path / "copy" / folder.name)
    write_report(copy)
    return {name: (copy / name).read_text(encoding="utf-8") for name in WRITERS}


def test_a_killed_report_leaves_whole_files_and_can_be_made_again(folder: Path, new: dict[str, str]) -> None:
    """Killed as soon as a file is written or begun, once for each of them."""
    raw = {path.name for path in folder.iterdir()}
    for name in WRITERS:
        deadline_s = time.monotonic() + DEADLINE_S
        before = (folder / name).stat().st_ino
        with reporting(folder, {}) as child:
            while (folder / name).stat().st_ino == before and not list(folder.glob(f".{name}.*.part")):
                assert time.monotonic() < deadline_s
            child.kill()
        found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name in WRITERS}
        assert set(found) == set(WRITERS)
        assert [other for other, text in found.items() if text not in (OLD, new[other])] == []
        assert all(path.name.startswith(".") for path in folder.iterdir() if path.name not in raw)
    write_report(folder)
    assert {name: (folder / name).read_text(encoding="utf-8") for name in WRITERS} == new


@pytest.mark.parametrize("number", ENDING)
def test_a_report_that_is_told_to_end_ends_with_5_and_one_line(
    folder: Path, new: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """It waits in its last step: the summary of the CI job is a pipe that nobody reads."""
    pipe = tmp_path / "step-summary"
    os.mkfifo(pipe)
    before = (folder / SUMMARY).stat().st_ino
    deadline_s = time.monotonic() + DEADLINE_S
    with reporting(folder, {"GITHUB_STEP_SUMMARY": str(pipe)}) as child:
        while (folder / SUMMARY).stat().st_ino == before:
            assert time.monotonic() < deadline_s
            os.sched_yield()
        child.send_signal(number)
        out, errors = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, out, errors.strip()) == (5, "", "interrupted")
    assert {name: (folder / name).read_text(encoding="utf-8") for name in WRITERS} == new
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []

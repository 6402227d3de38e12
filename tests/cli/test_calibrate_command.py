"""`stt-load calibrate`: what it refuses, and what it tells. `tests/calibration/test_climb.py` measures for real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_calibration import FOUND, trial

from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.procedure import OnTrial
from stt_load.calibration.result import Calibration
from stt_load.calibration.store import path_for
from stt_load.cli import calibrate as under_test
from stt_load.errors import WriteError

STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]


@pytest.fixture
def _found_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replaces the measuring: two trials, then `FOUND` as the result."""

    def calibrate(request: object, machine: object, on_trial: OnTrial) -> Calibration:
        on_trial(trial())
        on_trial(trial(callers=2_000, reached=2_000, frames_late=9_000, sink_cpu_pct=None))
        return FOUND

    monkeypatch.setattr(under_test, "calibrate", calibrate)
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path))


def refused(*options: str) -> list[str]:
    done = subprocess.run(
        [*STT_LOAD, "calibrate", *options], capture_output=True, text=True, timeout=60, check=False, env={**os.environ}
    )
    assert done.returncode == 2, done.stdout + done.stderr
    return [line.removeprefix("error: ") for line in done.stderr.splitlines()]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    lines = refused("--url", "http://x/", "--max", "0", "--frame-ms", "-3", "--hold", "soon")
    assert {line.partition(":")[0] for line in lines} == {"--url", "--max", "--frame-ms", "--hold"}


def test_a_sink_that_is_not_there_is_one_line() -> None:
    (line,) = refused("--url", "ws://127.0.0.1:1/")
    assert line.startswith("--url: nothing answers")


@pytest.mark.usefixtures("_found_at_once")
def test_the_result_is_told_in_words_and_kept(tmp_path: Path) -> None:
    done = CliRunner().invoke(under_test.command, ["--max", "5000"])
    assert done.exit_code == 0, done.output
    assert "trying up to 5,000 callers" in done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()[2:]] == ["1,000", "2,000"]
    assert "held" in done.stderr and "of frames more than 10 ms late" in done.stderr
    assert "3,000 per process and core" in done.stdout
    assert str(path_for(FOUND.host, tmp_path)) in done.stdout
    assert path_for(FOUND.host, tmp_path).exists()


@pytest.mark.usefixtures("_found_at_once")
def test_a_result_that_can_not_be_kept_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path / "file"))
    done = CliRunner().invoke(under_test.command, ["--max", "5000"])
    assert isinstance(done.exception, WriteError)
    assert "can't be written: Not a directory; set STT_LOAD_DATA to another folder" in str(done.exception)
    assert "3,000 per process and core" in done.stdout
    assert done.stdout.rstrip().endswith("(nowhere)")


@pytest.mark.usefixtures("_found_at_once")
def test_as_json_stdout_holds_nothing_else() -> None:
    done = CliRunner().invoke(under_test.command, ["--json", "--quick", "--hold", "1s"])
    assert json.loads(done.stdout)["callers"] == 3_000
    assert describe_host().keys() >= FOUND.host.keys()

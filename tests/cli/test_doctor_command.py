"""`stt-load doctor` on this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

DOCTOR = [sys.executable, "-c", "from stt_load.cli import main; main()", "doctor"]


def asked(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STT_LOAD_DATA": str(folder / "data")}
    return subprocess.run(
        [*DOCTOR, *options], capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False
    )


def test_it_prints_a_table_of_80_columns_and_ends_with_0(tmp_path: Path) -> None:
    done = asked(tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "file descriptors" in done.stdout
    assert "stt-load calibrate" in done.stdout  # never done in a new folder
    assert re.fullmatch(r"\d+ of \d+ checks passed, \d+ warnings?, 0 problems", done.stdout.splitlines()[-1])
    assert list(tmp_path.iterdir()) == []


def test_as_json_each_check_has_a_status_and_what_was_found(tmp_path: Path) -> None:
    checks = json.loads(asked(tmp_path, "--json").stdout)
    assert {"ok", "warning"} >= {check["status"] for check in checks}
    assert all(check["name"] and check["found"] for check in checks)


def test_where_no_run_could_start_it_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = asked(tmp_path, "--results", "file", "--json")
    assert done.returncode == 1
    (problem,) = [check for check in json.loads(done.stdout) if check["status"] == "problem"]
    assert problem["name"] == "results folder"
    assert asked(tmp_path, "--results", "file").stdout.endswith("1 problem: fix it before you run a test\n")


def test_an_option_that_nobody_knows_ends_with_2(tmp_path: Path) -> None:
    assert asked(tmp_path, "--cure").returncode == 2

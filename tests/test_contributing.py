"""CONTRIBUTING.md followed to the letter, in a copy of the checkout: what it says to do is enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from walkthrough import changed_files, copy_checkout, follow, run_commands, steps_of

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    copy_checkout(folder)
    return folder


def lint(folder: Path, *paths: str) -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *paths], cwd=folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout


def test_a_dialect_is_one_file_one_row_and_its_conversations(copy: Path) -> None:
    *written, commands = steps_of("Add a dialect")
    for step in written:
        follow(step, copy)
    output = run_commands(commands, copy)
    assert "passed" in output
    assert "Acme Speech: int16 in" in output
    lint(copy, "stt_load/dialects/acme.py", "stt_load/dialects/registry.py")
    assert changed_files(copy) == [
        "docs/dialects.md",  # made from the row
        "stt_load/dialects/acme.py",
        "stt_load/dialects/registry.py",
        "tests/dialects/conversations/acme/ends_well.jsonl",
        "tests/dialects/conversations/acme/fails.jsonl",
    ]


def test_a_figure_is_one_row_and_its_definition(copy: Path) -> None:
    row, definition, commands = steps_of("Add a figure")
    for step in (row, definition):
        follow(step, copy)
    assert "passed" in run_commands(commands, copy)
    lint(copy, row.path)
    made = ("docs/figures.md", "docs/options.md", "docs/files.md", "tests/report/golden/")
    assert [name for name in changed_files(copy) if not name.startswith(made)] == [
        "docs/design.md",
        "stt_load/metrics/figures.py",
    ]
    assert "duration_p95" in (copy / "tests/report/golden/stages.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "| `duration` |" in (copy / "docs/figures.md").read_text(encoding="utf-8")
    objective = "from stt_load.metrics.slo import parse_slo; print(parse_slo('duration:p95<5s').text)"
    done = subprocess.run([sys.executable, "-c", objective], cwd=copy, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "duration:p95<5s", done.stderr

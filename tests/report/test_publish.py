"""Publishing a report: files, copy, table and exit code, which say the same however printing goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_run import MadeRun, made_run
from rich.console import Console

from stt_load.errors import ExitCode
from stt_load.report.knee import exit_code
from stt_load.report.publish import publish_report
from stt_load.report.report_files import WRITERS


class LostTerminal:
    """A file to which nothing can be written."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")

    flush = write

    def isatty(self) -> bool:
        return True


def passed() -> MadeRun:
    return made_run(ladder=(1, 5))


def missed() -> MadeRun:
    return made_run(ladder=(1, 5, 60))


def invalid() -> MadeRun:
    made = made_run(ladder=(1, 5))
    made.transitions[-1]["delivery"]["missing_seq"] = 1
    return made


def empty() -> MadeRun:
    made = made_run(ladder=(1,), per_stage=0)
    made.utterances = []
    return made


def aborted() -> MadeRun:
    made = made_run(ladder=(1, 5))
    made.transitions[-1]["aborted"] = True
    return made


def killed() -> MadeRun:
    made = made_run(ladder=(1, 5))
    del made.transitions[-1]
    return made


def failed() -> MadeRun:
    made = made_run(ladder=(1, 5))
    made.run["failure"] = "the run folder can't be written: No space left on device"
    return made


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (passed, ExitCode.FINE),
        (missed, ExitCode.SLO_MISSED),
        (invalid, ExitCode.NOT_BELIEVABLE),
        (empty, ExitCode.NOT_BELIEVABLE),
        (aborted, ExitCode.ABORTED),
        (killed, ExitCode.NOT_BELIEVABLE),
        (failed, ExitCode.FAILED),
    ],
)
def test_the_exit_code_is_that_of_the_summary_in_every_ending_and_printing_changes_neither(
    ending: Callable[[], MadeRun], code: ExitCode, tmp_path: Path
) -> None:
    folder = ending().write(tmp_path / "run")
    console = Console(file=LostTerminal())  # type: ignore[arg-type]
    copy = tmp_path / "copy.json"
    assert exit_code(publish_report(folder, str(copy), console)) is code
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["exit_code"] == code
    assert copy.read_bytes() == (folder / "summary.json").read_bytes()
    assert all((folder / name).stat().st_size for name in WRITERS)

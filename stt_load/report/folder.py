"""A run folder: raw files in, report files out. The only place after the run that touches files.

The raw files are those of `docs/files.md`. A run may have been killed in the middle of a line: what can't be
read at the end of a file is left out and noted, anything unreadable before the end is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stt_load.errors import ConfigError
from stt_load.report.build import build_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.model import RunReport
from stt_load.report.plots import draw_charts

WRITERS: dict[str, Callable[[RunReport], str]] = {
    "stages.csv": stages_csv,
    "summary.json": summary_json,
    "junit.xml": junit_xml,
    "report.html": lambda report: report_html(report, draw_charts(report)),
}
"""File name -> its whole text. Another format is another row."""

SAMPLE_FILES = ("gpu.jsonl", "host.jsonl")
"""What the sidecars sampled; absent where none was asked for."""

_TRANSITION_KEYS = {"t", "stage", "phase", "users", "reached", "workers"}


def read_report(folder: Path) -> RunReport:
    """The report of a run folder, from its raw files alone. Raises ConfigError with one line."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: give the run folder that `stt-load run` printed")
    notes: list[str] = []
    run = _read_run(folder / "run.json")
    transitions = _read_lines(folder / "stages.jsonl", notes)
    if not transitions:
        raise ConfigError(f"{folder / 'stages.jsonl'} is empty: the run ended before its first stage")
    for line in transitions:
        missing = _TRANSITION_KEYS - line.keys()
        if missing:
            raise ConfigError(f"{folder / 'stages.jsonl'}: a line lacks {', '.join(sorted(missing))}")
    return build_report(
        run,
        transitions,
        _read_lines(folder / "utterances.jsonl", notes, is_optional=True),
        [row for name in SAMPLE_FILES for row in _read_lines(folder / name, notes, is_optional=True)],
        notes,
    )


def write_report(folder: Path) -> RunReport:
    """Rebuild every report file of a run folder; each appears whole or not at all."""
    report = read_report(folder)
    for name, write in WRITERS.items():
        write_whole(folder / name, write(report))
    return report


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(_read_text(path))
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(run, dict):
        raise ConfigError(f"{path} is no JSON object: this is not a run folder")
    return run


def _read_lines(path: Path, notes: list[str], *, is_optional: bool = False) -> list[dict[str, Any]]:
    """One JSON object a line. A last line that was cut off is left out, with a note."""
    if is_optional and not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    lines = [(number, line) for number, line in enumerate(_read_text(path).split("\n"), 1) if line.strip()]
    for number, line in lines:
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == lines[-1][0]:
                notes.append(f"{path.name}: the last line is cut off and left out")
                break
            raise ConfigError(f"{path}, line {number}, is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise ConfigError(f"{path}, line {number}, is no JSON object")
        rows.append(row)
    return rows


def _read_text(path: Path) -> str:
    try:
        # Cut in mid-character, the last line has broken UTF-8: it is then no JSON either.
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}; is {path.parent} a run folder?") from error

"""The files of a run folder: raw files in, report files out.

The raw files are those of `docs/files.md`; `raw_lines.py` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from stt_load.atomic_file import write_atomically
from stt_load.errors import ConfigError
from stt_load.report.build import build_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.model import RunReport
from stt_load.report.plots import draw_charts
from stt_load.report.raw_lines import read_objects, read_text, read_utterances

WRITERS: dict[str, Callable[[RunReport], str]] = {
    "stages.csv": stages_csv,
    "junit.xml": junit_xml,
    "report.html": lambda report: report_html(report, draw_charts(report)),
    "summary.json": summary_json,
}
"""File name -> its whole text. Another format is another row. The summary is written last: where it is, all are."""

SAMPLE_FILES = ("gpu.jsonl", "host.jsonl")
"""The samples of the sidecars; absent if no sidecar was used."""

_TRANSITION_KEYS = {"t", "stage", "phase", "users", "reached", "workers"}


def read_report(folder: Path, *, is_strict: bool = False) -> RunReport:
    """Reads the raw files of a run folder into a report. Raises ConfigError with one line.

    `is_strict`: every objective must be proven, also where the run did not ask for that.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder: give the run folder that `stt-load run` printed")
    notes: list[str] = []
    sample_notes: list[str] = []  # listed after those of utterances, which are read while the report is built
    run = _read_run(folder / "run.json")
    transitions = read_objects(folder / "stages.jsonl", notes)
    if not transitions:
        raise ConfigError(f"{folder / 'stages.jsonl'} is empty: the run ended before its first stage")
    for line in transitions:
        missing = _TRANSITION_KEYS - line.keys()
        if missing:
            raise ConfigError(f"{folder / 'stages.jsonl'}: a line lacks {', '.join(sorted(missing))}")
    utterances = folder / "utterances.jsonl"
    sampled = [folder / name for name in SAMPLE_FILES if (folder / name).exists()]
    return build_report(
        run | {"strict": True} if is_strict else run,
        transitions,
        read_utterances(utterances, notes) if utterances.exists() else (),
        [row for path in sampled for row in read_objects(path, sample_notes)],
        chain(notes, sample_notes),
    )


def write_report(folder: Path, *, is_strict: bool = False) -> RunReport:
    """Writes every report file of a run folder anew; each appears whole or not at all. Raises ConfigError."""
    report = read_report(folder, is_strict=is_strict)
    for name, write in WRITERS.items():
        write_atomically(folder / name, write(report))
    return report


def write_what_fits(folder: Path) -> RunReport:
    """Does the same with a folder that may take no more files: those that can't be written are left out."""
    report = read_report(folder)
    for name, write in WRITERS.items():
        with suppress(ConfigError):
            write_atomically(folder / name, write(report))
    return report


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(read_text(path))
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(run, dict):
        raise ConfigError(f"{path} is no JSON object: this is not a run folder")
    return run

"""Publishes the report of a run: its files, a copy of one of them, a CI job's summary, the table on the console."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from stt_load.errors import ConfigError
from stt_load.process.atomic_file import write_atomically
from stt_load.process.log import log
from stt_load.report.console import print_report
from stt_load.report.markdown_file import report_markdown
from stt_load.report.model import RunReport
from stt_load.report.raw_files import is_raw_file
from stt_load.report.report_files import WRITERS, write_report, write_what_fits
from stt_load.report.step_summary import append_step_summary

_BY_SUFFIX = {Path(name).suffix: name for name in WRITERS}


def publish_report(
    folder: Path, output: str | None = None, console: Console | None = None, *, is_strict: bool = False
) -> RunReport:
    """Writes every report file of `folder`, copies one to `output`, prints the table. Returns the report.

    `is_strict`: every objective must be proven, also where the run did not ask for that. The suffix of `output`
    chooses: .csv, .json, .xml, .html or .md. Raises ConfigError; for a name that no copy can have, before anything is
    written.
    """
    source = report_file(output) if output is not None else None
    report = write_report(folder, is_strict=is_strict)
    if output is not None and source is not None:
        write_atomically(Path(output), (folder / source).read_text(encoding="utf-8"))
    _show(report, folder, console)
    return report


def publish_failure(folder: Path, failure: str, console: Console | None = None) -> RunReport:
    """Writes those report files that can be written and prints the table, once the run has failed: the report then
    tells what the exit code tells, also where `run.json` can't be written any more."""
    report = write_what_fits(folder, failure)
    _show(report, folder, console)
    return report


def _show(report: RunReport, folder: Path, console: Console | None) -> None:
    append_step_summary(report_markdown(report), os.environ)
    console = console or Console()
    try:
        print_report(report, console)
        console.print(f"run folder: {folder}", highlight=False, soft_wrap=True)
    except Exception:  # the files say what came of the run, and so does the exit code
        log.exception("the report can't be printed; it is in %s", folder)


def report_file(output: str) -> str:
    """The report file that `output` is to be a copy of. Raises ConfigError for a suffix that none has, and for a raw
    file of a run."""
    name = _BY_SUFFIX.get(Path(output).suffix.lower())
    if name is None:
        raise ConfigError(f"--output: {output} must end in one of {', '.join(_BY_SUFFIX)}")
    if is_raw_file(Path(output)):
        raise ConfigError(f"--output: {output} is a raw file of a run, which nothing can rebuild: give another name")
    return name

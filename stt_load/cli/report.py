"""`stt-load report FOLDER`: rebuild every report file of a finished run, and print its table."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from stt_load.cli.run import with_options
from stt_load.report.charts.png import require_vl_convert
from stt_load.report.knee import exit_code
from stt_load.report.publish import publish_report
from stt_load.report.report_files import write_pictures

_ROWS_AT_ONCE = 100_000
"""New objects between two looks of the garbage collector. Rows are no part of a ring, and to look through each few of
a million takes an eighth of the time."""


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--output", metavar="FILE", help="Also copy the report there: .csv, .json, .xml, .html or .md.")
@click.option("--png", is_flag=True, help="Also write each chart of the page as a PNG file into FOLDER.")
@with_options(["strict"])
def command(folder: Path, output: str | None, png: bool, strict: bool | None) -> int:
    """Rebuild stages.csv, summary.json, report.html, report.md and junit.xml from the raw files of FOLDER.

    Ends with the exit code of the run, as the report prints it.
    """
    if png:
        require_vl_convert()
    gc.set_threshold(_ROWS_AT_ONCE)
    report = publish_report(folder, output, is_strict=bool(strict))
    if png:
        click.echo(f"charts: {', '.join(write_pictures(folder, report)) or 'none, since nothing was measured'}")
    return exit_code(report)

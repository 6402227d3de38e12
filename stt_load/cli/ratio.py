"""`stt-load ratio`: how much faster one machine is than another with the same server."""

from __future__ import annotations

from pathlib import Path

import click

from stt_load.cli.output_files import check_output_files, write_output_files
from stt_load.errors import ExitCode
from stt_load.process.standard_streams import require_output
from stt_load.sizing.document import markdown as document_markdown
from stt_load.sizing.document import print_document
from stt_load.sizing.ratio import FILE_NAME, measure_ratio
from stt_load.sizing.ratio_report import ratio_document
from stt_load.text.json_text import json_text

_FOLDER = click.Path(path_type=Path)


@click.command("ratio")
@click.option("--from", "first", metavar="RUN_A", required=True, type=_FOLDER, help="The run on the first machine.")
@click.option("--to", "second", metavar="RUN_B", required=True, type=_FOLDER, help="The run on the second machine.")
@click.option(
    "--save",
    metavar="FILE",
    is_flag=False,
    flag_value=FILE_NAME,
    type=_FOLDER,
    help=f"Keep the ratio there, for `stt-load size --ratio`; {FILE_NAME} where FILE is left out.",
)
@click.option("--anyway", is_flag=True, help="Also where the runs differ in model, clips or settings.")
@click.option("--markdown", metavar="FILE", help="Also write the table there, as Markdown.")
def command(first: Path, second: Path, save: Path | None, anyway: bool, markdown: str | None) -> int:
    """How much faster or slower the second machine is, from two runs with the same server and the same --concurrency.

    Latency, requests a second and callers held, each with an interval, at the loads that both runs have.
    """
    files = {"save": save, "markdown": markdown}
    check_output_files(files)
    config = measure_ratio(first, second, is_forced=anyway)
    document = ratio_document(config, str(save) if save else None)
    forms = {"save": lambda: json_text(config), "markdown": lambda: document_markdown(document)}
    if not write_output_files(files, forms):
        print_document(document)
    require_output()
    return ExitCode.FINE

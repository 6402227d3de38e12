"""`stt-load ratio`: how much faster one machine is than another with the same server."""

from __future__ import annotations

from pathlib import Path

import click

from stt_load.errors import ExitCode
from stt_load.process.atomic_file import write_atomically
from stt_load.sizing.document import markdown, print_document
from stt_load.sizing.ratio import FILE_NAME, measure_ratio, write_ratio
from stt_load.sizing.ratio_report import ratio_document

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
@click.option("--markdown", "markdown_file", metavar="FILE", help="Also write the table there, as Markdown.")
def command(first: Path, second: Path, save: Path | None, anyway: bool, markdown_file: str | None) -> int:
    """How much faster or slower the second machine is, from two runs with the same server and the same --concurrency.

    Latency, requests a second and callers held, each with an interval, at the loads that both runs have.
    """
    config = measure_ratio(first, second, is_forced=anyway)
    document = ratio_document(config, str(save) if save else None)
    if save:
        write_ratio(save, config)
    if markdown_file:
        write_atomically(Path(markdown_file), markdown(document))
    print_document(document)
    return ExitCode.FINE

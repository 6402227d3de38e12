"""`stt-load size RUN`: what to deploy for so many callers, from what a run has measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stt_load.cli.output_files import check_output_files, write_output_files
from stt_load.errors import ConfigError, ExitCode
from stt_load.process.standard_streams import require_output
from stt_load.sizing.amounts import parse_callers, parse_duty, parse_headroom, parse_price, parse_rate_per_s
from stt_load.sizing.deployment import Demand, check_demand, plan_deployment
from stt_load.sizing.document import markdown, print_document
from stt_load.sizing.ratio import read_ratio
from stt_load.sizing.replica import read_replica
from stt_load.sizing.size_report import size_data, size_document
from stt_load.sizing.speed import speed_for
from stt_load.text.json_text import json_text

_MANIFESTS = "the manifests: --kubernetes prints them, --markdown and --json have them"
_PARSERS: dict[str, Callable[[str], Any]] = {
    "callers": parse_callers,
    "rate": parse_rate_per_s,
    "headroom": parse_headroom,
    "duty": parse_duty,
    "price": parse_price,
}


@click.command("size")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--callers", metavar="N", help="How many callers there will be at once; of uploads, how many requests.")
@click.option("--rate", metavar="N/s", help="Of uploads and text to speech, instead of --callers: requests a second.")
@click.option(
    "--headroom", metavar="SHARE", default="20%", show_default=True, help="The share of each replica that stays free."
)
@click.option(
    "--duty",
    metavar="SHARE",
    help="The share of a call in which a caller of yours sends audio, like 0.6. [default: as in the run]",
)
@click.option("--price", metavar="PRICE/h", help="What one replica costs in an hour, like 1.10/h: gives the cost.")
@click.option(
    "--ratio",
    "ratio_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Size another machine than that of RUN: the file that `stt-load ratio` has saved.",
)
@click.option("--anyway", is_flag=True, help="Use the ratio although the runs differ in model, clips or machine.")
@click.option("--kubernetes", is_flag=True, help="Print the manifests too, which --markdown and --json always have.")
@click.option("--markdown", metavar="FILE", help="Also write all of it there, as Markdown.")
@click.option("--json", metavar="FILE", help="Also write all of it there, as JSON; - prints that, and nothing else.")
def command(folder: Path, ratio_file: Path | None, anyway: bool, kubernetes: bool, **given: str | None) -> int:
    """What to deploy for so many callers: replicas, cost, energy, latency, and manifests for Kubernetes.

    RUN is the folder of a run that has found how many callers the server holds: `stt-load find`, or a ladder. Ends with
    4 where that run is not to be believed, or the server held nobody.
    """
    files = {name: given[name] for name in ("markdown", "json")}
    check_output_files(files, [ratio_file])
    values, problems = _parse(given)
    if anyway and ratio_file is None:
        problems.append("--anyway: is for --ratio: leave it out, or give a ratio")
    if problems:
        raise ConfigError(problems)
    demand = Demand(values["callers"], values["rate"], values["headroom"], values["duty"], values["price"])
    ratio = read_ratio(ratio_file) if ratio_file else None
    replica = read_replica(folder)
    if problems := check_demand(replica, demand):
        raise ConfigError(problems)
    speed, caveats = speed_for(ratio, replica, is_forced=anyway) if ratio else (None, ())
    deployment = plan_deployment(replica, demand, speed)
    document = size_document(replica, deployment, speed, caveats)
    forms = {
        "markdown": lambda: markdown(document),
        "json": lambda: json_text(size_data(replica, deployment, speed, caveats)),
    }
    if not write_output_files(files, forms):
        print_document(document, instead_of_codes="" if kubernetes else _MANIFESTS)
    require_output()
    return ExitCode.FINE


def _parse(given: dict[str, str | None]) -> tuple[dict[str, Any], list[str]]:
    """The values of the options that have a parser, and a line for each that is wrong."""
    values: dict[str, Any] = {}
    problems = []
    for name, parse in _PARSERS.items():
        text = given[name]
        try:
            values[name] = None if text is None else parse(text)
        except ValueError as error:
            problems.append(f"--{name}: {error}")
    return values, problems

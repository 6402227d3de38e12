"""`stt-load history`: the runs of a folder over time, and whether the newest is a regression."""

from __future__ import annotations

from pathlib import Path

import click

from stt_load.cli.output_files import STANDARD_OUTPUT, OutputFiles, check_output_files, write_output_files
from stt_load.errors import ConfigError, ExitCode
from stt_load.history.console import print_history, print_judgement, print_left_out
from stt_load.history.csv_file import history_csv
from stt_load.history.page import history_html
from stt_load.history.reader import read_history
from stt_load.history.regression import judge_newest
from stt_load.history.series import SAME, series_of
from stt_load.process.standard_streams import require_output


def _parse_same(text: str) -> tuple[str, ...]:
    """Raises ConfigError for a word that runs don't share."""
    words = tuple(word for word in (word.strip() for word in text.split(",")) if word)
    wrong = [word for word in words if word not in SAME]
    if wrong:
        raise ConfigError(f"--same: {', '.join(wrong)} is none of {', '.join(SAME)}; or give nothing, with --same ''")
    return words


@click.command("history")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("results"))
@click.option("--check", is_flag=True, help="Compare the newest run with the last good ones like it.")
@click.option(
    "--same",
    metavar="NAMES",
    default=",".join(SAME),
    show_default=True,
    help="What runs must share to be compared, besides their kind of load.",
)
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Also write a page with trends there.")
@click.option(
    "--csv", metavar="FILE", type=click.Path(path_type=Path), help="Also write a row for each good run there."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
def command(folder: Path, check: bool, same: str, html: Path | None, csv: Path | None, overwrite: bool) -> ExitCode:
    """Print the runs in DIR (results, if you don't say) as tables, one for each label, server and machine.

    With --check: ends with 0 where the newest run is as good as the last good ones like it, with 3 where a figure is
    worse than they scatter, and with 4 where that can't be judged, as with fewer than 5 of them.
    """
    files: OutputFiles = {"html": html, "csv": csv}
    check_output_files(files)
    there = (
        [] if overwrite else [path for path in (html, csv) if path and str(path) != STANDARD_OUTPUT and path.exists()]
    )
    if there:
        raise ConfigError([f"{path} is there already: give another name, or --overwrite" for path in there])
    shared = _parse_same(same)
    history = read_history(folder)
    series = series_of(history.runs, shared)
    is_printed = write_output_files(
        files, {"html": lambda: history_html(history, series), "csv": lambda: history_csv(series)}
    )
    if not check:
        if not is_printed:
            print_history(history, series)
        require_output()
        return ExitCode.FINE
    judgement = judge_newest(history.runs, shared)
    if not is_printed:
        print_judgement(judgement)
        print_left_out(history)
    require_output()
    if judgement.why_not is not None:
        return ExitCode.NOT_BELIEVABLE
    return ExitCode.SLO_MISSED if judgement.regressions else ExitCode.FINE

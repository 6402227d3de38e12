"""`stt-load stress`: uploads from more and more client threads, against a server with a constant CPU limit."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stt_load.cli.locust_child import run_locust
from stt_load.cli.output_files import STANDARD_OUTPUT, OutputFiles, check_output_files, write_output_files
from stt_load.cli.run import check, locust_command, locust_environment, with_defaults, with_options
from stt_load.errors import ConfigError, ExitCode, SttLoadError
from stt_load.kinds import UPLOAD, kind_of
from stt_load.option_values import parse_ladder
from stt_load.options import OPTIONS
from stt_load.process.ending_signals import hearing, leave_before_start
from stt_load.process.standard_streams import require_output
from stt_load.report.model import RunReport
from stt_load.report.report_files import read_report
from stt_load.sizing.document import markdown, print_document
from stt_load.sizing.stress import exit_code_of, stress_data, stress_document, stress_rows
from stt_load.text.json_text import json_text

_DEFAULTS = {"dialect": "upload-openai", "hold": "20s", "at_least": "10", "settle": "2s", "label": "stress"}
_THREADS = "1,2,4,8"
_HERE = ("concurrency", "live", "output")  # --threads is their number of callers, the panel is always on
_OF_THE_RUN = tuple(option.name for option in OPTIONS if UPLOAD in option.kinds and option.name not in _HERE)
_MEASURED = (ExitCode.FINE, ExitCode.SLO_MISSED, ExitCode.NOT_BELIEVABLE)


@click.command("stress")
@click.option(
    "--threads", metavar="LIST", help=f"Client threads of each stage, in order, like 1,2,4. [default: {_THREADS}]"
)
@click.option(
    "--from",
    "folder",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Judge the folder of a ladder of uploads that was run before, and start nothing.",
)
@click.option("--markdown", "markdown_file", metavar="FILE", help="Also write the table there, as Markdown.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Also write the table there, as JSON; - prints that, and nothing else."
)
@with_options(_OF_THE_RUN, {**_DEFAULTS, "slo": ", ".join(UPLOAD.default_slos)})
def command(
    threads: str | None, folder: Path | None, markdown_file: str | None, json_file: str | None, **options: Any
) -> int:
    """Upload from more and more client threads while the server's CPU limit stays: where does it throttle?

    A thread sends a whole file, waits for its transcript, and sends the next. The mean latency of each number of
    threads is held against that of the first: throttling_detected where it is more than twice as long. Put the limit on
    the server yourself (docker run --cpus 2), and start a sidecar beside it (--gpu-sidecar), which reads how often the
    kernel stopped the server for it. Ends with 3 where throttling is detected, with 4 where a stage is not valid.
    """
    files: OutputFiles = {"markdown": markdown_file, "json": json_file}
    check_output_files(files)
    if folder is None:
        printed = [name for name, file in files.items() if file == STANDARD_OUTPUT]
        if printed:
            raise ConfigError(f"--{printed[0]} -: a run prints its own report too: give a file, or a run with --from")
        report = _run(_THREADS if threads is None else threads, options)
    else:
        if typed := [name for name in ("threads", *options) if _is_typed(name)]:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in typed)
            raise ConfigError(f"{names}: is for a new run: leave it out, or leave out --from")
        report = read_report(folder)
    rows = stress_rows(report)
    document = stress_document(report, rows)
    forms = {"markdown": lambda: markdown(document), "json": lambda: json_text(stress_data(report, rows))}
    if not write_output_files(files, forms):
        print_document(document)
    require_output()
    return exit_code_of(rows)


def _is_typed(name: str) -> bool:
    """Whether an option stands in the command, and not in the environment for every run."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _run(threads: str, options: dict[str, Any]) -> RunReport:
    """Runs the ladder as Locust, and reads its folder. Raises ConfigError with all that is wrong before; ends this
    process with the exit code of a run that did not come to its end."""
    options = {**with_defaults(options, _DEFAULTS), "concurrency": threads}
    problems = _problems(threads, options["dialect"])
    with hearing(leave_before_start):
        # What is wrong with the threads has been said by their own name.
        is_wrong = any(problem.startswith("--threads") for problem in problems)
        check({**options, "concurrency": "1"} if is_wrong else options, problems)
    with tempfile.TemporaryDirectory(prefix="stt-load-stress-") as place:
        copy = Path(place) / "summary.json"
        line = locust_command({**options, "output": str(copy)}, (), "uploads.py")
        code = run_locust(line, locust_environment(options))
        if code not in _MEASURED or not copy.is_file():
            click.get_current_context().exit(code or ExitCode.FAILED)
        run_id = json.loads(copy.read_text(encoding="utf-8"))["run"]["run_id"]
    return read_report(_folder_of(run_id, Path(options.get("results") or "results")))


def _problems(threads: str, dialect: str) -> list[str]:
    problems = []
    if kind_of(dialect) is not UPLOAD:
        problems.append(f"--dialect {dialect}: stress is for uploads: take one of {', '.join(UPLOAD.dialect_rows())}")
    try:
        ladder = parse_ladder(threads)
        if list(ladder) != sorted(ladder):
            problems.append(f"--threads {threads}: write them from few to many: each is held against the first")
    except ValueError as error:
        problems.append(f"--threads: {str(error).replace('callers', 'threads')}")
    return problems


def _folder_of(run_id: str, results: Path) -> Path:
    """The run folder with this id, which the run has just written."""
    for run in sorted(results.glob("*/run.json"), reverse=True):
        if f'"{run_id}"' in run.read_text(encoding="utf-8", errors="replace"):
            return run.parent
    raise SttLoadError(f"the folder of run {run_id} is not in {results}: it may have been moved")

"""`stt-load matrix`: the same ladder under one condition after the other, and what each of them costs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stt_load.cli.locust_child import run_locust
from stt_load.cli.run import (
    ALL_OPTIONS,
    check,
    find_contradictions,
    locust_command,
    locust_environment,
    take_process_words,
    with_defaults,
    with_enough_processes,
    with_options,
    with_process_options,
)
from stt_load.comparison.conditions import AXES, Condition, conditions_of, repeated_values
from stt_load.comparison.matrix import Matrix, Row, read_row
from stt_load.comparison.matrix_forms import matrix_html, matrix_json, print_matrix
from stt_load.config import RunConfig, parse_options
from stt_load.errors import ConfigError, ExitCode
from stt_load.kinds import TRANSCRIBED, kind_of
from stt_load.options import OPTIONS, PlanKind
from stt_load.process.atomic_file import write_atomically
from stt_load.process.ending_signals import hearing, leave_before_start
from stt_load.process.standard_streams import require_output
from stt_load.report.raw_files import RUN
from stt_load.run.preflight import find_clip_problems

_DEFAULTS = {"concurrency": "1,5,10,20", "hold": "20s", "settle": "2s"}
_HERE = ("results", "label", "output", "live", "verbose")  # each condition has a folder of its own, the panel is on
_NO_LADDER = ("spike", "spike-hold", "ramp-down", "soak", "arrivals", "call", "warm-up")
_OF_THE_RUNS = tuple(name for name in ALL_OPTIONS if name not in (*_HERE, *_NO_LADDER))
_MEASURED = (ExitCode.FINE, ExitCode.SLO_MISSED, ExitCode.NOT_BELIEVABLE)
_UNLIMITED_WER = "wer<1000%"
_DATA, _PAGE = "matrix.json", "matrix.html"
_TYPED = ParameterSource.COMMANDLINE


@click.command("matrix", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@with_process_options
@click.option(
    "--into",
    metavar="FOLDER",
    help="Where the runs and the matrix go. One that was broken off is gone on with. [default: results/TIME-matrix]",
)
@click.option("--from", "folder", metavar="FOLDER", help="Show the matrix of such a folder, and start nothing.")
@with_options(_OF_THE_RUNS, _DEFAULTS)
def command(into: str | None, folder: str | None, **options: Any) -> int:
    """Walk conditions: the same ladder of callers under each, then the word error rate and the callers held side by
    side.

    The options that make callers hard (--codec, --noise, --snr, --level, --speed, --join, --pause-in-speech,
    --silence-callers) take several values with commas between them, and each goes with each of the others. All other
    options are those of a ladder of `stt-load run`.

    Under every condition but the clean one transcripts may be as wrong as they are: an objective is added that lets
    them (--slo 'wer<1000%'), so that a run is not called invalid for it.

    Ends with 3 where not even the fewest callers are held under some condition, with 4 where a run decides nothing,
    with 5 where it was broken off.
    """
    context = click.get_current_context()
    words = context.args
    if folder is not None:
        _refuse_beside_from(context)
        matrix = _read(Path(folder))
    else:
        place = Path(into) if into else Path("results") / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-matrix"
        matrix = _run(place, options, words)
    print_matrix(matrix)
    require_output()
    return int(matrix.exit_code)


def _refuse_beside_from(context: click.Context) -> None:
    """Raises ConfigError where something was typed beside --from, which would be without effect."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name != "folder" and context.get_parameter_source(parameter.name or "") is _TYPED
    ]
    if given or context.args:
        raise ConfigError(
            f"--from: shows what was measured and starts nothing: leave out {', '.join([*given, *context.args])}"
        )


def _run(place: Path, options: dict[str, Any], words: Sequence[str]) -> Matrix:
    """Runs what is not there yet. Raises ConfigError with everything that is wrong before; ends this process with the
    exit code of a run that did not come to its end."""
    if kind_of(options.get("dialect")) not in TRANSCRIBED:
        raise ConfigError(f"--dialect {options['dialect']}: a matrix is about transcripts: name a recogniser's")
    conditions = conditions_of(options)
    contradictions = find_contradictions(options)
    options = with_defaults(options, _DEFAULTS)
    asked = _asked(options, words)
    with hearing(leave_before_start):
        extra, problems = take_process_words(options, words)
        config = _check(
            place, options, conditions, [*problems, *contradictions, *_problems(place, asked, conditions, options)]
        )
        extra = with_enough_processes(extra, config, PlanKind.LADDER)
    if not (place / _DATA).exists():
        _write(place, asked, conditions)
    for number, condition in enumerate(conditions, start=1):
        told = f"condition {number} of {len(conditions)}: {condition.in_words()}"
        runs = _folder_of(place, number, condition)
        row = read_row(condition, runs)
        if row.is_known:
            click.echo(f"{told}: measured before, in {row.folder}")
            continue
        click.echo(told)
        given = _options_of(condition, options) | {"results": str(runs), "label": condition.label or "matrix"}
        code = run_locust(locust_command(given, extra), environment_of_ladder(given))
        matrix = _write(place, asked, conditions)
        if code not in _MEASURED:
            print_matrix(matrix)
            click.echo(f"broken off; the same command with --into {place} goes on with it")
            click.get_current_context().exit(code)
    return _write(place, asked, conditions)


def _check(
    place: Path, options: Mapping[str, Any], conditions: Sequence[Condition], problems: Sequence[str]
) -> RunConfig:
    """What the options of the first condition say. Raises ConfigError with what is wrong under any of them, once."""
    found = list(problems)
    configs: list[RunConfig] = []
    for condition in conditions:
        try:
            given = _options_of(condition, options) | {"results": str(place)}
            configs.append(parse_options(given) if configs else check(given, results_option="into"))
            found += find_clip_problems(configs[-1])
        except ConfigError as error:
            found += error.problems
    if found:
        raise ConfigError(list(dict.fromkeys(found)))
    return configs[0]


def _problems(
    place: Path, asked: Mapping[str, Any], conditions: Sequence[Condition], options: Mapping[str, Any]
) -> list[str]:
    lines = repeated_values(options)
    if not any(condition.values for condition in conditions):
        lines.append(f"give at least one of {', '.join(f'--{name}' for name in AXES)}, with several values")
    if (place / RUN).exists():
        lines.append(f"--into {place}: it is the folder of a run: name one that isn't there yet, or leave --into out")
    elif (place / _DATA).exists() and _read_asked(place) != asked:
        lines.append(f"--into {place}: its runs were asked for with other options: name another folder")
    return lines


def _options_of(condition: Condition, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one run."""
    kept = {key: value for key, value in options.items() if key not in _AXIS_KEYS}
    given = kept | condition.options()
    if not condition.is_clean:
        slos = tuple(given.get("slo") or ()) or kind_of(given.get("dialect")).default_slos
        given["slo"] = (*slos, *(() if any(slo.startswith("wer<") for slo in slos) else (_UNLIMITED_WER,)))
    return given


def environment_of_ladder(options: Mapping[str, Any]) -> dict[str, str]:
    """The environment of one run: a spike that is set there for other runs is none of this command's."""
    others = {option.env_var for option in OPTIONS if option.name in _NO_LADDER}
    return {key: value for key, value in locust_environment(options).items() if key not in others}


_AXIS_KEYS = frozenset(name.replace("-", "_") for name in AXES)


def _asked(options: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """The options of all runs as they were typed, without those that may hold secrets."""
    shown = {option.key for option in OPTIONS if not (option.may_hold_secrets or option.is_secret)}
    given = {key: value for key, value in options.items() if key in shown and key != "live" and value not in (None, ())}
    return json.loads(json.dumps({"options": given, "words": list(words)}))  # type: ignore[no-any-return]


def _folder_of(place: Path, number: int, condition: Condition) -> Path:
    return place / f"{number:02d}-{condition.label or 'clean'}"


def _write(place: Path, asked: Mapping[str, Any], conditions: Sequence[Condition]) -> Matrix:
    """Writes the matrix as far as its runs go."""
    matrix = Matrix(place, asked, tuple(_rows(place, conditions)))
    write_atomically(place / _DATA, matrix_json(matrix), make_folder=True)
    write_atomically(place / _PAGE, matrix_html(matrix))
    return matrix


def _rows(place: Path, conditions: Sequence[Condition]) -> list[Row]:
    return [read_row(condition, _folder_of(place, n, condition)) for n, condition in enumerate(conditions, start=1)]


def _read(place: Path) -> Matrix:
    """The matrix of a folder, from its runs. Raises ConfigError where there is none."""
    asked = _read_asked(place)
    conditions = conditions_of(asked.get("options") or {})
    return _write(place, asked, conditions)


def _read_asked(place: Path) -> Mapping[str, Any]:
    """The options that the matrix in this folder was asked for with. Raises ConfigError where there is none."""
    try:
        asked = json.loads((place / _DATA).read_text(encoding="utf-8"))["asked"]
    except (OSError, ValueError, KeyError, TypeError):
        asked = None
    if not isinstance(asked, dict):
        advice = "name a folder that `stt-load matrix` made"
        raise ConfigError(f"{place}: there is no {_DATA} of a matrix in it: {advice}")
    return asked

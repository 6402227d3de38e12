"""Reads what the user names as sides of a comparison, each in the way of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from stt_load.comparison.measures import Measure
from stt_load.comparison.results import Result, merged
from stt_load.comparison.run_folder import read_run
from stt_load.comparison.tts_file import read_tts_file
from stt_load.errors import ConfigError
from stt_load.report.raw_files import RAW_FILES
from stt_load.report.raw_lines import unreadable
from stt_load.report.report_files import WRITERS

BETWEEN_REPEATS = ","


def read_sides(sides: Sequence[str], asked: Iterable[Measure] = ()) -> list[Result]:
    """The results, one for each side. A side is a run folder or a result file, or several of them with commas between.

    `asked`: measures that targets are set on. Raises ConfigError with every problem: what can't be read, and results
    of different kinds.
    """
    if len(sides) < 2:
        raise ConfigError("give at least two results, the one before first: stt-load compare BEFORE AFTER")
    asked = tuple(asked)
    problems: list[str] = []
    read: list[list[Result]] = []
    for side in sides:
        results = []
        for path in paths_of(side):
            try:
                results.append(_read(path, asked))
            except ConfigError as error:
                problems += error.problems
        read.append(results)
    if problems:
        raise ConfigError(problems)
    every = [result for results in read for result in results]
    if len({result.what for result in every}) > 1:
        kinds = "; ".join(f"{result.paths[0]} is {result.what}" for result in every)
        raise ConfigError(f"only results of one kind can be compared: {kinds}")
    paths = [Path(path).resolve() for result in every for path in result.paths]
    twice = sorted({str(path) for path in paths if paths.count(path) > 1})
    if twice:
        raise ConfigError(f"given twice: {', '.join(twice)}: a result can't be compared with itself")
    copies = [
        f"{one.paths[0]} and {other.paths[0]}"
        for results in read
        for one, other in combinations(results, 2)
        if one.loads == other.loads
    ]
    if copies:
        raise ConfigError(f"{'; '.join(copies)} have the same figures to the last digit: a copy is no repeat")
    return [merged(results) for results in read]


def paths_of(side: str) -> list[Path]:
    """The paths of one side. A comma in the name of a folder that is there separates nothing."""
    whole = Path(side)
    if BETWEEN_REPEATS not in side or whole.exists():
        return [whole]
    return [Path(part.strip()) for part in side.split(BETWEEN_REPEATS) if part.strip()] or [whole]


def _read(path: Path, asked: Sequence[Measure]) -> Result:
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except PermissionError as error:
        raise unreadable(path, error) from error
    if is_folder:
        return read_run(path, asked)
    if not is_there:
        raise ConfigError(f"{path} is not there: give a run folder or the result file of `stt-load tts`")
    if path.name in (*RAW_FILES, *WRITERS):
        raise ConfigError(f"{path} is a file of a run folder: give the folder, {path.parent}")
    return read_tts_file(path)

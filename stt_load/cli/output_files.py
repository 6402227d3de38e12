"""The files that a command writes besides what it prints: checked before it works, written in its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from stt_load.errors import ConfigError
from stt_load.process.atomic_file import write_atomically
from stt_load.report.raw_files import is_raw_file
from stt_load.text.whole_characters import with_whole_characters

STANDARD_OUTPUT = "-"

OutputFiles = Mapping[str, str | Path | None]
"""The file of each option, by its name without dashes; None where the option wasn't given."""


def check_output_files(files: OutputFiles, inputs: Iterable[str | Path | None] = ()) -> None:
    """Raises ConfigError with a line for each option whose file can't be what the user meant.

    `inputs`: files that the command reads. They stay as they are, and so do the raw files of a run folder, which
    nothing can rebuild.
    """
    read = {Path(path).resolve() for path in inputs if path}
    taken: dict[Path, str] = {}
    problems = []
    for option, path in files.items():
        if path is None:
            continue
        place = Path(path).resolve()
        if not str(path):
            problems.append(f"--{option}: give the name of a file, or leave it out")
        elif place in taken:
            problems.append(f"--{option}: {path} is that of --{taken[place]}: give each its own")
        elif not os.access(place.parent, os.X_OK):
            problems.append(f"--{option}: folder {place.parent} is not there, or you may not write there")
        elif place in read and place.is_file():
            problems.append(f"--{option}: {path} is a file that is read here: give another name")
        elif is_raw_file(place):
            problems.append(f"--{option}: {path} is a raw file of a run, which nothing can rebuild: give another name")
        elif place.is_dir():
            problems.append(f"--{option}: {path} is a folder: give the name of a file")
        taken.setdefault(place, option)
    if problems:
        raise ConfigError(problems)


def write_output_files(files: OutputFiles, forms: Mapping[str, Callable[[], str]]) -> bool:
    """Writes the text of each option that was given, or prints it where its file is `-`. Returns whether it printed
    one: then nothing else is to stand on standard output."""
    is_printed = False
    for option, text in forms.items():
        path = files.get(option)
        if path is None:
            continue
        if str(path) == STANDARD_OUTPUT:
            click.echo(with_whole_characters(text()), nl=False)
            is_printed = True
        else:
            write_atomically(Path(path), text())
    return is_printed

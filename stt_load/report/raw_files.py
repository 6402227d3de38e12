"""The raw files of a run folder, by name. `docs/files.md` says what is in them."""

from __future__ import annotations

import re
from pathlib import Path

RUN = "run.json"
STAGES = "stages.jsonl"
UTTERANCES = "utterances.jsonl"
GPU_SAMPLES = "gpu.jsonl"
HOST_SAMPLES = "host.jsonl"

SERVER_LOOKS = "server.jsonl"
"""The server's own metrics; absent if they were not asked for."""

CLIP_WORDS = "words.jsonl"
"""When the words of each clip sound, of those where that is known; absent if it is of none."""

SAMPLE_FILES = (GPU_SAMPLES, HOST_SAMPLES)
"""The samples of the sidecars; absent if no sidecar was used."""

EVERY_PART = "utterances*.jsonl"
"""Stands for the utterances of a run that has several files of them."""

_PART = re.compile(r"utterances-(\d{4,6})\.jsonl")

RAW_FILES = (RUN, STAGES, UTTERANCES, *SAMPLE_FILES, SERVER_LOOKS, CLIP_WORDS)


def part_name(number: int) -> str:
    """The name of a part of the utterances. A soak begins a new one every hour: `utterances.jsonl` has the first,
    `utterances-0002.jsonl` the second. Any other run has the first alone."""
    return UTTERANCES if number == 1 else f"utterances-{number:04}.jsonl"


def parts_of(path: Path) -> list[Path]:
    """The file, and those that its lines go on in, as far as they are there: all of what is to be read as one file."""
    if path.name != UTTERANCES:
        return [path]
    found = (
        (int(match[1]), each)
        for each in path.parent.glob("utterances-*.jsonl")
        if (match := _PART.fullmatch(each.name))
    )
    return [path, *(each for _, each in sorted(found))]


def missing_parts(path: Path) -> list[str]:
    """The names of the parts that are not there, though a later one is."""
    there = {int(match[1]) for part in parts_of(path) if (match := _PART.fullmatch(part.name))}
    return [part_name(number) for number in range(2, max(there, default=1)) if number not in there]


def whole_name(name: str) -> str:
    """The name of the file that a part belongs to; of any other file, its own."""
    return UTTERANCES if name == EVERY_PART or _PART.fullmatch(name) else name


def is_raw_file(path: Path) -> bool:
    """Whether a raw file of a run is there: nothing can rebuild it."""
    return (path.name in RAW_FILES or _PART.fullmatch(path.name) is not None) and path.is_file()

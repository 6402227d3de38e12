"""Run folders with damage of every kind, hundreds of them from a seed: nothing but ConfigError is raised, what is kept
is what was written, and where anything was lost or added the run does not pass."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from made_run import MadeRun, made_run
from made_samples import gap_entry, gpu_entry, sidecar_entry
from rich.console import Console

from stt_load.errors import ConfigError
from stt_load.records import UtteranceRecord
from stt_load.report.console import print_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.damage import Damage
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.model import Verdict
from stt_load.report.raw_files import RAW_FILES, RUN, SAMPLE_FILES, SERVER_LOOKS, STAGES, UTTERANCES
from stt_load.report.raw_lines import RawLines
from stt_load.report.raw_rows import (
    JsonObject,
    accept_look,
    accept_sample,
    checked_run,
    transitions_of,
    utterances_of,
)
from stt_load.report.report_files import read_report
from stt_load.report.run_facts import hardware, run_facts, what_was_asked
from stt_load.sealed_lines import sealed, sealed_file
from stt_load.sizing.identity import differences, machine_lines, machine_of
from stt_load.text.whole_characters import with_whole_characters

N_EACH = 12  # mutations of each kind for each seed

Mutation = Callable[[random.Random, bytes], bytes]


def small_run() -> MadeRun:
    made = made_run(ladder=(1, 2), per_stage=5, hold_s=3.0, host=True)
    began, _ = made.span(0)
    made.run |= {
        "clips": made.run["clips"] | {"uncertain_bounds": 2},
        "gpu": [gpu_entry()],
        "sidecars": [sidecar_entry([gap_entry(began, began + 1, "it hung")])],
        "server_metrics": {"url": "http://h/metrics", "metrics": ["queue"], "looks": 9, "failed": 0, "why": None},
    }
    made.server = [{"t": began + second, "took_s": 0.01, "values": {"queue": second}} for second in range(9)]
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The raw files of a small run, by name."""
    folder = small_run().write(tmp_path_factory.mktemp("whole"))
    assert read_report(folder).verdict is Verdict.PASS
    return {name: (folder / name).read_bytes() for name in RAW_FILES}


def somewhere(rng: random.Random, data: bytes, at_most: int) -> tuple[int, int]:
    at = rng.randrange(len(data))
    return at, min(len(data), at + rng.randrange(1, at_most))


def flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def zero(rng: random.Random, data: bytes) -> bytes:
    began, ended = somewhere(rng, data, 600)
    return data[:began] + bytes(ended - began) + data[ended:]


def delete(rng: random.Random, data: bytes) -> bytes:
    began, ended = somewhere(rng, data, rng.choice([2, 400, 4_000]))
    return data[:began] + data[ended:]


def repeat(rng: random.Random, data: bytes) -> bytes:
    """A span stands there twice: a write that was tried again."""
    began, ended = somewhere(rng, data, 2_000)
    return data[:ended] + data[began:]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def add_zeros(rng: random.Random, data: bytes) -> bytes:
    return data + bytes(rng.randrange(1, 5_000))


def in_lines(change: Callable[[random.Random, list[bytes], int], object]) -> Mutation:
    def mutate(rng: random.Random, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        change(rng, lines, rng.randrange(len(lines)))
        return b"".join(lines)

    return mutate


def glue(rng: random.Random, lines: list[bytes], at: int) -> None:
    lines[at] = lines[at][: -1 - rng.choice([0, rng.randrange(len(lines[at]))])]


MUTATIONS: dict[str, Mutation] = {
    "a flipped bit": flip,
    "zeros": zero,
    "a span that is missing": delete,
    "a span that is there twice": repeat,
    "a file that is cut off": cut,
    "zeros at the end": add_zeros,
    "a line that is there twice": in_lines(lambda rng, lines, at: lines.insert(rng.randrange(len(lines)), lines[at])),
    "a line that is missing": in_lines(lambda rng, lines, at: lines.pop(at)),
    "a line without its end": in_lines(glue),
}


@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_damage_is_believed(whole: dict[str, bytes], tmp_path: Path, kind: str, seed: int) -> None:
    rng = random.Random(f"{kind} {seed}")
    originals = rows_of(written(tmp_path, whole))
    for _ in range(N_EACH):
        name = rng.choice(RAW_FILES)
        damaged = MUTATIONS[kind](rng, whole[name])
        folder = written(tmp_path, whole | {name: damaged})
        kept = rows_of(folder)
        assert not kept - originals, (name, kept - originals)
        verdict = verdict_of(folder)
        if kept != originals or (name == RUN and damaged != whole[RUN]):
            assert verdict in (None, Verdict.INVALID, Verdict.EMPTY), (name, damaged)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def rows_of(folder: Path) -> Counter[str]:
    """Every row that a reader keeps, with its file."""
    kinds: dict[str, tuple[Any, Any]] = {
        STAGES: (JsonObject, transitions_of("made")),
        UTTERANCES: (UtteranceRecord, utterances_of("made", "stream")),
        **dict.fromkeys(SAMPLE_FILES, (JsonObject, accept_sample)),
        SERVER_LOOKS: (JsonObject, accept_look),
    }
    return Counter(
        f"{name} {row}"
        for name, (kind, accept) in kinds.items()
        for rows in RawLines(folder / name, Damage(), kind, accept)
        for row in rows
    )


def verdict_of(folder: Path) -> Verdict | None:
    """The verdict of a report that every writer can write; None where the folder is refused."""
    try:
        report = read_report(folder)
    except ConfigError as error:
        assert len(error.problems) == 1 and "\n" not in error.problems[0]
        return None
    json.loads(summary_json(report), parse_constant=pytest.fail)
    ET.fromstring(junit_xml(report))
    stages_csv(report)
    report_html(report, ())
    print_report(report, Console(file=io.StringIO()))
    return report.verdict


# values of the wrong kind, in lines that are whole ----------------------------------------------------------------

ODD_VALUES = (
    None,
    "x",
    "",
    -1,
    0,
    1e308,
    -1e308,
    10**30,
    10**400,
    True,
    [],
    {},
    [1],
    {"a": 1},
    "12",
    0.5,
    "NaN",
    "\0",
    "\ud83d",
    [None],
)


@pytest.mark.parametrize("name", RAW_FILES)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_value_of_any_kind_makes_a_report_fail(
    whole: dict[str, bytes], tmp_path: Path, name: str, seed: int
) -> None:
    rng = random.Random(f"{name} {seed}")
    for _ in range(2 * N_EACH):
        folder = written(tmp_path, whole | {name: with_odd_value(rng, name, whole[name])})
        verdict_of(folder)


def test_no_value_in_run_json_stops_those_who_read_what_was_run() -> None:
    run = made_run().run | {
        "stt_url": "ws://gpu-box:8000/ws?model=small",
        "dialect_options": {"model": "small"},
        "hosts": [{"host": "load", "cpu_model": "EPYC", "cores": 2, "container_cpu_limit": 1.5}],
        "gpu": [{"host": "gpu-box", "name": "NVIDIA H200", "driver": "570", "memory_total_mib": 143771.0}],
        "sidecars": [{"url": "http://gpu-box:9550", "host": "gpu-box", "machine": {"cpu_model": "EPYC", "cores": 64}}],
    }
    for *way, last in ways_into(run):
        for value in ODD_VALUES:
            odd = deepcopy(run)
            place: Any = odd
            for step in way:
                place = place[step]
            place[last] = value
            kept, _ = checked_run(with_whole_characters(odd))
            differences(what_was_asked(kept), what_was_asked(run), ("one", "other"))
            machine_lines(machine_of(kept), None)
            run_facts(kept)
            hardware(kept)


def with_odd_value(rng: random.Random, name: str, data: bytes) -> bytes:
    rows = [json.loads(data)] if name == RUN else [json.loads(line) for line in data.splitlines()]
    for row in rows:
        row.pop("crc32")
    row = rng.choice(rows)
    *way, last = rng.choice(list(ways_into(row)))
    place = row
    for step in way:
        place = place[step]
    if rng.random() < 0.2:
        del place[last]
    else:
        place[last] = rng.choice(ODD_VALUES)
    if name == RUN:
        return sealed_file(json.dumps(rows[0], indent=2).encode())
    return b"".join(sealed(json.dumps(row).encode(), number) + b"\n" for number, row in enumerate(rows))


def ways_into(value: object) -> Iterator[tuple[Any, ...]]:
    """The keys and places that lead to each value within an object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield (step,)
        yield from ((step, *way) for way in ways_into(inner))

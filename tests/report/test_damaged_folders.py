"""Hundreds of run folders with damage of any kind: nothing but an error of one line is raised, what is kept is what was
written, and where anything was lost or added the report says so and the run does not pass. `compare`, `history` and
`size`, which read run folders too, believe no more of them.
"""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_run import MadeRun, made_run
from made_samples import gap_entry, gpu_entry, sidecar_entry
from made_search import made_search
from rich.console import Console

from stt_load.comparison.compare import compare
from stt_load.comparison.results import Result
from stt_load.comparison.run_folder import read_run
from stt_load.errors import ConfigError, SttLoadError
from stt_load.history.reader import read_history
from stt_load.history.run_row import RunRow
from stt_load.records import UtteranceRecord
from stt_load.report.console import print_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.damage import Damage
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.model import RunReport, Verdict
from stt_load.report.raw_files import CLIP_WORDS, RAW_FILES, RUN, SAMPLE_FILES, SERVER_LOOKS, STAGES, UTTERANCES
from stt_load.report.raw_lines import RawLines
from stt_load.report.raw_rows import (
    JsonObject,
    accept_clip_words,
    accept_look,
    accept_sample,
    checked_run,
    transitions_of,
    utterances_of,
)
from stt_load.report.report_files import SUMMARY, read_report
from stt_load.report.run_facts import hardware, run_facts, what_was_asked
from stt_load.sealed_lines import sealed, sealed_file
from stt_load.sizing.identity import differences, machine_lines, machine_of
from stt_load.sizing.replica import read_replica
from stt_load.text.whole_characters import with_whole_characters

pytestmark = pytest.mark.slow

Mutation = Callable[[random.Random, bytes], bytes]


def small_ladder() -> MadeRun:
    """A ladder of two workers, with samples and with metrics of the server."""
    made = made_run(ladder=(1, 2), per_stage=5, hold_s=3.0, host=True)
    began, _ = made.span(0)
    made.run |= {
        "clips": made.run["clips"] | {"uncertain_bounds": 2},
        "gpu": [gpu_entry()],
        "sidecars": [sidecar_entry([gap_entry(began, began + 1, "it hung")])],
        "server_metrics": {"url": "http://h/metrics", "metrics": ["queue"], "looks": 9, "failed": 0, "why": None},
    }
    made.server = [{"t": began + second, "took_s": 0.01, "values": {"queue": second}} for second in range(9)]
    made.clip_words = [{"clip_id": "made-0", "words": [["the", 0.25, 0.5], ["quick", 0.5, 0.875]]}]
    for number, record in enumerate(made.utterances):
        record.worker = number % 2
    return made


def small_search() -> MadeRun:
    return made_search(per_stage=5, repeats=1, first=16, within_ratio=0.9)


RUNS: Mapping[str, Callable[[], MadeRun]] = {"a ladder": small_ladder, "a search": small_search}


@cache
def raw_files(run: str) -> Mapping[str, bytes]:
    """The raw files of a small run that passes, by name."""
    with TemporaryDirectory() as place:
        folder = RUNS[run]().write(Path(place))
        assert read_report(folder).verdict is Verdict.PASS
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.stat().st_size}


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Resampling takes most of the time of a report: intervals are as rough as they like here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("metrics.bootstrap", "metrics.caller_bootstrap", "capacity.interval"):
            patch.setattr(f"stt_load.{module}._RESAMPLES", 40)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one run folder of a folder of results, written anew for each example."""
    folder = tmp_path_factory.mktemp("results") / "run"
    folder.mkdir()
    return folder


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


@dataclass(frozen=True)
class Damaged:
    """A run folder with one raw file that is not as it was written."""

    run: str
    name: str  # of the file
    data: bytes  # what it holds now

    @property
    def files(self) -> Mapping[str, bytes]:
        """What was written."""
        return raw_files(self.run)

    def write(self, folder: Path) -> Path:
        for path in folder.iterdir():
            path.unlink()
        for name, data in {**self.files, self.name: self.data}.items():
            (folder / name).write_bytes(data)
        return folder


@st.composite
def damaged_folders(draw: st.DrawFn) -> Damaged:
    run = draw(st.sampled_from([*RUNS]))
    name = draw(st.sampled_from([*raw_files(run)]))
    mutation = MUTATIONS[draw(st.sampled_from([*MUTATIONS]))]
    return Damaged(run, name, mutation(random.Random(draw(st.integers(0, 2**32))), raw_files(run)[name]))


def examples(n: int) -> settings:
    """So many examples, the same ones wherever the same modules are loaded: Hypothesis takes numbers from them."""
    return settings(max_examples=n, derandomize=True, database=None)


@examples(400)
@given(damaged=damaged_folders())
def test_no_damage_is_believed(folder: Path, damaged: Damaged) -> None:
    report = report_of(damaged.write(folder))
    kept, written = rows_of(folder, damaged.name), rows_written(damaged.run, damaged.name)
    assert not kept - written
    if report is not None and (kept != written or is_another_run(damaged)):
        assert report.verdict in (Verdict.INVALID, Verdict.EMPTY)
        assert any(note.startswith(f"{damaged.name}: ") for note in report.notes), report.notes


def test_a_run_json_that_has_lost_its_last_keys_and_its_checksum_is_not_one_of_an_earlier_version(folder: Path) -> None:
    written = raw_files("a search")[RUN]
    cut_off = written.partition(b',\n  "ended_at"')[0] + b"\n}\n"
    assert set(json.loads(written)) - set(json.loads(cut_off)) >= {"lines", "crc32"}
    report = read_report(Damaged("a search", RUN, cut_off).write(folder))
    assert report.verdict is Verdict.INVALID
    assert any(note.startswith("run.json: ") for note in report.notes), report.notes


@examples(100)
@given(damaged=damaged_folders())
def test_no_other_reader_of_run_folders_believes_damage(folder: Path, damaged: Damaged) -> None:
    damaged.write(folder)
    believed = []
    try:
        if compare([result_as_written(damaged.run), read_run(folder)]).is_believed:
            believed.append("compare")
    except SttLoadError as error:
        assert_is_one_line(error)
    try:
        read_replica(folder)
        believed.append("size")
    except SttLoadError as error:
        assert_is_one_line(error)
    history = read_history(folder.parent)
    if not history.left_out and history.runs[0].verdict.is_believable:
        believed.append("history")
    if rows_of(folder, damaged.name) != rows_written(damaged.run, damaged.name) or is_another_run(damaged):
        assert believed == []


@examples(100)
@given(run=st.sampled_from([*RUNS]), kind=st.sampled_from([*MUTATIONS]), seed=st.integers(0, 2**32))
def test_a_history_believes_no_damaged_summary(folder: Path, run: str, kind: str, seed: int) -> None:
    Damaged(run, RUN, raw_files(run)[RUN]).write(folder)
    (folder / SUMMARY).write_bytes(MUTATIONS[kind](random.Random(seed), summary_as_written(run)))
    (row,) = read_history(folder.parent).runs
    assert replace(row, folder=Path()) == history_as_written(run)


def is_another_run(damaged: Damaged) -> bool:
    """`run.json` has no lines: all of it is as it was written, or nothing of it is certain."""
    return damaged.name == RUN and damaged.data != damaged.files[RUN]


def rows_of(folder: Path, name: str) -> Counter[str]:
    """Every row that a reader keeps of a file; none of run.json, which has none."""
    kinds: dict[str, tuple[Any, Any]] = {
        STAGES: (JsonObject, transitions_of("made")),
        UTTERANCES: (UtteranceRecord, utterances_of("made", "stream")),
        **dict.fromkeys(SAMPLE_FILES, (JsonObject, accept_sample)),
        SERVER_LOOKS: (JsonObject, accept_look),
        CLIP_WORDS: (JsonObject, accept_clip_words),
    }
    if name not in kinds:
        return Counter()
    kind, accept = kinds[name]
    return Counter(str(row) for rows in RawLines(folder / name, Damage(), kind, accept) for row in rows)


@cache
def result_as_written(run: str) -> Result:
    with TemporaryDirectory() as place:
        return read_run(RUNS[run]().write(Path(place)))


@cache
def summary_as_written(run: str) -> bytes:
    with TemporaryDirectory() as place:
        return summary_json(read_report(RUNS[run]().write(Path(place)))).encode()


@cache
def history_as_written(run: str) -> RunRow:
    with TemporaryDirectory() as place:
        RUNS[run]().write(Path(place) / "run")
        return replace(read_history(Path(place)).runs[0], folder=Path())


@cache
def rows_written(run: str, name: str) -> Counter[str]:
    with TemporaryDirectory() as place:
        (Path(place) / name).write_bytes(raw_files(run)[name])
        return rows_of(Path(place), name)


def report_of(folder: Path) -> RunReport | None:
    """None where the folder is refused."""
    try:
        return read_report(folder)
    except ConfigError as error:
        assert_is_one_line(error)
        return None


def assert_is_one_line(error: SttLoadError) -> None:
    assert "\n" not in str(error)


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


@examples(300)
@given(name=st.sampled_from(RAW_FILES), seed=st.integers(0, 2**32))
def test_no_value_of_any_kind_makes_a_report_fail(folder: Path, name: str, seed: int) -> None:
    whole = raw_files("a ladder")[name]
    report = report_of(Damaged("a ladder", name, with_odd_value(random.Random(seed), name, whole)).write(folder))
    if report is not None:
        json.loads(summary_json(report), parse_constant=pytest.fail)
        ET.fromstring(junit_xml(report))
        stages_csv(report)
        report_html(report, ())
        print_report(report, Console(file=io.StringIO()))


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

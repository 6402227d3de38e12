"""What a row of each raw file must be, and a key of `run.json`. What a value must be stands here and in `records.py`.

What is not read (keys that a later version adds) may be anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Required, TypedDict, TypeVar

import msgspec
from msgspec import Meta

from stt_load.records import Count, KindName, Length, Moment, PhaseName, UtteranceRecord
from stt_load.report.damage import Flaw

Row = TypeVar("Row")
Objection = tuple[Flaw, str]
"""What is wrong with a row, or with a value in it, in one line."""

Accept = Callable[[Row], tuple[Row | None, Sequence[Objection]]]
"""Takes a row that was parsed. Returns it without what can't be right, or None where all of it is left out."""

JsonObject = dict[str, Any]
Percent = Annotated[float, Meta(ge=0, le=1e6)]  # of one core: a process may use many
ClockOffset = Annotated[float, Meta(ge=-1e11, le=1e11)]  # of a clock that starts in 1970


class Delivery(TypedDict, total=False):
    rows: Count
    totals: dict[str, Count]
    missing_seq: Count
    workers_lost: Count


class TransitionRow(TypedDict, total=False):
    """A line of stages.jsonl: the keys that a report reads."""

    t: Required[Moment]
    stage: Required[Count]
    phase: Required[PhaseName]
    users: Required[Count]
    reached: Required[Count]
    workers: Required[Count]
    mono: Moment | None
    run_id: str
    begun: Count | None
    ended: Count | None
    generator_cpu_pct: Percent | None
    stolen_cpu_pct: Percent | None
    reason: str | None
    delivery: Delivery | None
    aborted: bool | None


class SampleTags(TypedDict, total=False):
    """The keys of a line of gpu.jsonl or host.jsonl that say where and when; all others are figures."""

    t: Required[Moment]
    mono: Moment | None
    seq: Annotated[int, Meta(ge=0, le=10**15)] | None
    host: str | None
    kind: str
    gpu: Count | None
    mig: Count | None
    boot: str | None
    run_id: str | None
    stage: Count | None
    users: Count | None
    phase: str | None


class Gap(TypedDict, total=False):
    began: Required[ClockOffset]
    ended: ClockOffset | None
    why: str | None
    kind: str | None
    gpu: Count | None


class Source(TypedDict, total=False):
    name: str | None
    kind: str | None
    period_s: Length | None
    limit_s: Length | None
    is_alive: bool | None
    restarts: Count | None
    complaint: str | None
    note: str | None
    gaps: list[Gap] | None


class Server(TypedDict, total=False):
    name: str | None
    why: str | None


class SidecarEntry(TypedDict, total=False):
    url: str | None
    host: str | None
    why: str | None
    is_guess: bool | None
    warnings: list[str] | None
    server: Server | None
    sources: list[Source] | None
    clock_offset_s: ClockOffset | None
    clock_uncertainty_s: Length | None


class GpuEntry(TypedDict, total=False):
    host: str | None
    index: Count | None
    uuid: str | None
    name: str | None
    driver: str | None
    memory_total_mib: Annotated[float, Meta(ge=0, le=1e12)] | None


class Frame(TypedDict, total=False):
    note: str | None


class Clips(TypedDict, total=False):
    n: Count
    uncertain_bounds: Count | None


class Language(TypedDict, total=False):
    told: Required[str]


class RunRow(TypedDict, total=False):
    """run.json: the keys that a report reads."""

    run_id: str
    label: str | None
    kind: KindName
    dialect: str | None
    normaliser: str | None
    language: Language | None
    end: str | None
    strict: bool | None
    slos: list[str]
    notes: list[str]
    frame: Frame | None
    clips: Clips | None
    options: dict[str, Any] | None
    versions: dict[str, Any] | None
    hosts: list[dict[str, Any]] | None
    gpu: list[GpuEntry] | None
    sidecars: list[SidecarEntry] | None
    utterance_limit_s: Length | None
    started_at: Moment | None
    ended_at: Moment | None
    lines: dict[str, Count] | None
    failure: str | None


_LARGEST_FIGURE = 1e15
_LARGEST_PCT = 200.0  # what a share of time can be, and as much again for a counter that is read late


def said(error: msgspec.ValidationError) -> str:
    """What msgspec says of a value, with its key first: `frames`: expected int, got float."""
    text, _, path = str(error).partition(" - at ")
    key = path.strip("`").removeprefix("$").removeprefix(".")
    what = re.sub(r"`([^`]*)`", r"\1", text)
    return f"`{key}`: {what[:1].lower()}{what[1:]}" if key else f"{what[:1].lower()}{what[1:]}"


def utterances_of(run_id: str | None, kind: str | None) -> Accept[UtteranceRecord]:
    """Accepts the rows of one run. None: not known, so any."""

    def accept(record: UtteranceRecord) -> tuple[UtteranceRecord | None, Sequence[Objection]]:
        if run_id is not None and record.run_id != run_id:
            return None, [(Flaw.OTHER_RUN, f"its run_id is {record.run_id[:40]!r}")]
        if kind is not None and record.kind != kind:
            return None, [(Flaw.WRONG, f"its kind is {record.kind}, that of the run {kind}")]
        return record, ()

    return accept


def transitions_of(run_id: str | None) -> Accept[JsonObject]:
    """Accepts the transitions of one run. None: not known, so any."""

    def accept(row: JsonObject) -> tuple[JsonObject | None, Sequence[Objection]]:
        if objection := _objection(row, TransitionRow):
            return None, [(Flaw.WRONG, objection)]
        if run_id is not None and row.get("run_id", run_id) != run_id:
            return None, [(Flaw.OTHER_RUN, f"its run_id is {row['run_id'][:40]!r}")]
        return row, ()

    return accept


def accept_sample(row: JsonObject) -> tuple[JsonObject | None, Sequence[Objection]]:
    """Accepts a sample, without the figures that can't be right."""
    if objection := _objection(row, SampleTags):
        return None, [(Flaw.WRONG, objection)]
    tags = SampleTags.__annotations__
    wrong = [name for name, value in row.items() if name not in tags and not _is_figure(name, value)]
    if not wrong:
        return row, ()
    kept = {name: value for name, value in row.items() if name not in wrong}
    return kept, [(Flaw.VALUE, f"`{name}` is {str(row[name])[:40]}") for name in wrong]


def checked_run(run: Mapping[str, Any]) -> tuple[JsonObject, list[str]]:
    """run.json without the keys that are not what they must be, and one line for each of these."""
    objections = {key: _objection({key: run[key]}, RunRow) for key in RunRow.__annotations__ if key in run}
    kept = {key: value for key, value in run.items() if not objections.get(key)}
    return kept, list(filter(None, objections.values()))


def _objection(value: object, kind: Any) -> str:
    """What is wrong with a value that must be of a kind, in one line; "" where nothing is."""
    try:
        msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        return said(error)
    return ""


def _is_figure(name: str, value: object) -> bool:
    """Whether a figure of a sample can be right: it is null, or a number that its unit allows."""
    if name in ("line", "crc32") or value is None:
        return True
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return False
    if name.endswith("_pct"):
        return 0 <= value <= _LARGEST_PCT
    return (-300 if name.endswith("_c") else 0) <= value <= _LARGEST_FIGURE

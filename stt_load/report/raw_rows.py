"""What a line of each raw file must be, and a key of `run.json`, as far as a report reads it: keys that a later version
adds may be anything. `records.py` has the row of an utterance, `sidecar_rows.py` what comes from sidecars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Required, TypedDict, TypeVar

from msgspec import Meta

from stt_load.capacity.arrivals import CallLoad
from stt_load.plausible import AtLeastOne, Count, Length, Moment, Part, Percent, learned, objection
from stt_load.records import KindName, PhaseName, UtteranceRecord
from stt_load.report.damage import Flaw
from stt_load.sealed_lines import SEAL_KEYS
from stt_load.sidecar_rows import GpuEntry, Machine, SampleTags, SidecarEntry, wrong_figures

Row = TypeVar("Row")
Objection = tuple[Flaw, str]
"""What is wrong with a row, or with a value in it, in one line."""

Accept = Callable[[Row], tuple[Row | None, Sequence[Objection]]]
"""Takes a row that was parsed. Returns it without what can't be right, or None where all of it is left out."""

JsonObject = dict[str, Any]


@learned
class Delivery(TypedDict, total=False):
    rows: Count
    totals: dict[str, Count]
    missing_seq: Count
    workers_lost: Count


@learned
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
    workers_lost: Count | None
    begun: Count | None
    ended: Count | None
    generator_cpu_pct: Percent | None
    stolen_cpu_pct: Percent | None
    waiting_ports_pct: Percent | None
    reason: str | None
    delivery: Delivery | None
    aborted: bool | None
    load_ended_at: Moment | None
    load: CallLoad | None
    is_open: bool | None


@learned
class HostEntry(Machine, total=False):
    host: str | None
    container_cpu_limit: Annotated[float, Meta(gt=0, le=1e6)] | None  # cores


@learned
class Frame(TypedDict, total=False):
    note: str | None


@learned
class Clips(TypedDict, total=False):
    n: Required[Count]
    with_words: Count | None
    uncertain_bounds: Count | None


@learned
class Language(TypedDict, total=False):
    told: Required[str]


@learned
class Search(TypedDict, total=False):
    """What `capacity.search.CapacitySearch` is made with."""

    first: Required[AtLeastOne]
    most: Required[AtLeastOne]
    within_ratio: Required[Part]
    repeats: Required[AtLeastOne]


@learned
class LookRow(TypedDict, total=False):
    """A line of server.jsonl: when the server was looked at, and the value of each series."""

    t: Required[Moment]
    took_s: Length | None
    values: Required[dict[str, float]]


@learned
class ClipWordsRow(TypedDict, total=False):
    """A line of words.jsonl: text, start and end of each word of a clip, in seconds of its audio."""

    clip_id: Required[str]
    words: Required[list[tuple[str, Length, Length]]]


@learned
class ServerMetricsEntry(TypedDict, total=False):
    url: str | None
    metrics: list[str]
    looks: Count | None
    failed: Count | None
    why: str | None


@learned
class RunRow(TypedDict, total=False):
    """run.json: the keys that a report reads."""

    run_id: str
    label: str | None
    kind: KindName
    stt_url: str | None
    dialect: str | None
    dialect_options: dict[str, Any] | None
    normaliser: str | None
    language: Language | None
    end: str | None
    plan: str | None
    course: str | None
    search: Search
    strict: bool | None
    slos: list[str]
    notes: list[str]
    frame: Frame | None
    clips: Clips | None
    options: dict[str, Any] | None
    versions: dict[str, Any] | None
    hosts: list[HostEntry] | None
    gpu: list[GpuEntry] | None
    sidecars: list[SidecarEntry] | None
    server_metrics: ServerMetricsEntry | None
    utterance_limit_s: Length | None
    started_at: Moment | None
    ended_at: Moment | None
    lines: dict[str, Count] | None
    failure: str | None


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
        if why := objection(row, TransitionRow):
            return None, [(Flaw.WRONG, why)]
        if run_id is not None and row.get("run_id", run_id) != run_id:
            return None, [(Flaw.OTHER_RUN, f"its run_id is {row['run_id'][:40]!r}")]
        return row, ()

    return accept


def accept_sample(row: JsonObject) -> tuple[JsonObject | None, Sequence[Objection]]:
    """Accepts a sample, without its seal and the figures that can't be right."""
    if why := objection(row, SampleTags):
        return None, [(Flaw.WRONG, why)]
    unsealed = {name: value for name, value in row.items() if name not in SEAL_KEYS}
    wrong = wrong_figures(unsealed)
    kept = {name: value for name, value in unsealed.items() if name not in wrong} if wrong else unsealed
    return kept, [(Flaw.VALUE, f"`{name}` is {str(row[name])[:40]}") for name in wrong]


def accept_look(row: JsonObject) -> tuple[JsonObject | None, Sequence[Objection]]:
    """Accepts what a server said of itself at one moment."""
    why = objection(row, LookRow)
    return (None, [(Flaw.WRONG, why)]) if why else (row, ())


def accept_clip_words(row: JsonObject) -> tuple[JsonObject | None, Sequence[Objection]]:
    """Accepts the words of a clip."""
    why = objection(row, ClipWordsRow)
    return (None, [(Flaw.WRONG, why)]) if why else (row, ())


def checked_run(run: Mapping[str, Any]) -> tuple[JsonObject, list[str]]:
    """run.json without the keys that are not what they must be, and one line for each of these."""
    objections = {key: objection({key: run[key]}, RunRow) for key in RunRow.__annotations__ if key in run}
    kept = {key: value for key, value in run.items() if not objections.get(key)}
    return kept, list(filter(None, objections.values()))

"""What a sidecar's samples and its entries in `run.json` must be. The client holds what it is sent against this, and a
report what it reads. What is not read here may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict

from stt_load.plausible import ClockOffset, Count, Length, Mebibytes, Moment, SampleNumber, learned

_LARGEST_FIGURE = 1e15
_LARGEST_PCT = 200.0  # what a share of time can be, and as much again for a counter that is read late
_COLDEST_C = -273.0


@learned
class SampleTags(TypedDict, total=False):
    """The keys of a sample that say where and when; all others are figures."""

    t: Required[Moment]
    mono: Moment | None
    seq: SampleNumber | None
    host: str | None
    kind: str
    gpu: Count | None
    mig: Count | None
    boot: str | None
    run_id: str | None
    stage: Count | None
    users: Count | None
    phase: str | None


@learned
class SentSample(TypedDict):
    """A sample as a sidecar sends it: with its own number, and its own monotonic clock."""

    mono: Moment
    seq: SampleNumber
    kind: str


@learned
class Gap(TypedDict, total=False):
    began: Required[ClockOffset]
    ended: ClockOffset | None
    why: str | None
    kind: str | None
    gpu: Count | None


@learned
class SentGap(Gap, total=False):
    """A gap as a sidecar sends it: by its monotonic clock too."""

    began_mono: ClockOffset | None
    ended_mono: ClockOffset | None


@learned
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


@learned
class Server(TypedDict, total=False):
    name: str | None
    why: str | None


@learned
class Machine(TypedDict, total=False):
    architecture: str | None
    cpu_model: str | None
    cores: Count | None


@learned
class SidecarEntry(TypedDict, total=False):
    url: str | None
    host: str | None
    why: str | None
    is_guess: bool | None
    warnings: list[str] | None
    machine: Machine | None
    server: Server | None
    metrics: list[dict[str, Any]] | None
    sources: list[Source] | None
    clock_offset_s: ClockOffset | None
    clock_uncertainty_s: Length | None


@learned
class GpuEntry(TypedDict, total=False):
    host: str | None
    index: Count | None
    uuid: str | None
    name: str | None
    driver: str | None
    memory_total_mib: Mebibytes | None


def wrong_figures(sample: Mapping[str, Any]) -> list[str]:
    """The figures of a sample that can't be right: neither null nor a number that their unit allows."""
    tags = SampleTags.__annotations__
    return [name for name, value in sample.items() if name not in tags and not _is_figure(name, value)]


def _is_figure(name: str, value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    if name.endswith("_pct"):
        return 0 <= value <= _LARGEST_PCT
    return (_COLDEST_C if name.endswith("_c") else 0) <= value <= _LARGEST_FIGURE

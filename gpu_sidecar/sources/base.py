"""Defines what a source of samples is: it can be started, stopped and asked for its status.

A new one is one file here and one row in `known_sources.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import (  # noqa: UP035 - Emit is made at run time: collections.abc.Callable[…] needs 3.9
    Callable,
    NamedTuple,
    Protocol,
)

from gpu_sidecar.failures import FailureLog
from gpu_sidecar.sample import Sample

Emit = Callable[[Sample], None]
"""Called with each sample at the moment it was read, from any thread."""


class Moment(NamedTuple):
    """One moment on both clocks of this host, seconds: `wall` since 1970, `mono` since any moment."""

    wall: float
    mono: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.time(), time.monotonic())


@dataclass(frozen=True)
class SampleGap:
    """A time without samples, in seconds on the wall clock (`began`, `ended`) and on the monotonic clock (`…_mono`).

    The ends are None while it lasts. `kind` and `gpu` say which device was not sampled; both None: all of the source's.
    """

    began: float
    ended: float | None
    why: str
    began_mono: float = 0.0
    ended_mono: float | None = None
    kind: str | None = None
    gpu: int | None = None


@dataclass(frozen=True)
class SourceStatus:
    """The status of a source, as in `GET /healthz`.

    `limit_s`: how long after a sample it is the current one, and without another one there is a gap. `complaint` is
    the last thing that went wrong and was not got over, often a line of the tool that was no sample; "" if there is
    none. `note` says what is done in another way than was asked for. `gaps` has the newest last, and a bounded number
    of them. `output` says what a tool prints on, `terminal` or `pipe`; "" where no tool runs.
    """

    name: str
    kind: str
    period_s: float
    limit_s: float
    is_alive: bool
    restarts: int = 0
    complaint: str = ""
    note: str = ""
    gaps: tuple[SampleGap, ...] = ()
    output: str = ""


QUIET_PERIODS = 3.0
LEAST_QUIET_S = 2.0


def limit_s(period_s: float, quiet_periods: float = QUIET_PERIODS, least_quiet_s: float = LEAST_QUIET_S) -> float:
    """How long a source may give no sample, in seconds: the one limit for restarts, gaps, /metrics and the report.

    Three periods, and at least two seconds: at ten samples a second, a tool that takes half a second now and then has
    not hung.
    """
    return max(quiet_periods * period_s, least_quiet_s)


def every_gpu() -> Sequence[int]:
    return ()


@dataclass(frozen=True)
class SourceConfig:
    """The settings of a source. `only` gives the indexes of the GPUs to sample at present, none for all.

    `on_gap` is called when a gap begins. `failures` is told what fails in the source itself.
    """

    period_s: float
    emit: Emit
    only: Callable[[], Sequence[int]] = every_gpu
    replay: Path | None = None
    on_gap: Callable[[], None] = lambda: None
    failures: FailureLog = field(default_factory=FailureLog)


class Source(Protocol):
    """Emits samples from `start` to `stop`, from threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Returns when its threads and child processes have ended."""

    def status(self) -> SourceStatus: ...

"""Defines what a source of samples is: it can be started, stopped and asked for its status.

A new one is one file here and one row in `known_sources.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Protocol  # noqa: UP035 - Emit is made at run time: collections.abc.Callable[…] needs 3.9

from gpu_sidecar.sample import Sample

Emit = Callable[[Sample], None]
"""Called with each sample at the moment it was read, from any thread."""


@dataclass(frozen=True)
class SampleGap:
    """A time without samples (wall clock, seconds). `ended` is None while it lasts."""

    began: float
    ended: float | None
    why: str


@dataclass(frozen=True)
class SourceStatus:
    """The status of a source, as in `GET /healthz`.

    `complaint` is the last thing that went wrong, often a line of the tool that was no sample; "" if there is none.
    `gaps` has the newest last, and a bounded number of them.
    """

    name: str
    kind: str
    period_s: float
    is_alive: bool
    restarts: int = 0
    complaint: str = ""
    gaps: tuple[SampleGap, ...] = ()


@dataclass(frozen=True)
class SourceConfig:
    """The settings of a source. `only`: the indexes of the GPUs to sample, None for all."""

    period_s: float
    emit: Emit
    only: Sequence[int] | None = None
    replay: Path | None = None


class Source(Protocol):
    """Emits samples from `start` to `stop`, from threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Returns when its threads and child processes have ended."""

    def status(self) -> SourceStatus: ...

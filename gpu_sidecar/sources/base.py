"""What a source of samples is: something that can be started, stopped, and asked how it goes.

A new one is one file here and one row in `known_sources.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Protocol  # noqa: UP035 - Emit is made at run time: collections.abc.Callable[…] needs 3.9

from gpu_sidecar.sample import Sample

Emit = Callable[[Sample], None]
"""Takes a sample the moment it was read. May be called from any thread."""


@dataclass(frozen=True)
class SampleGap:
    """No sample came between these two moments (wall clock, seconds); `ended` is None while it lasts."""

    began: float
    ended: float | None
    why: str


@dataclass(frozen=True)
class SourceStatus:
    """`complaint`: the last line that was no sample, "" if none. `gaps`: the newest last, bounded."""

    name: str
    kind: str
    period_s: float
    is_alive: bool
    restarts: int = 0
    complaint: str = ""
    gaps: tuple[SampleGap, ...] = ()


@dataclass(frozen=True)
class SourceConfig:
    """What a source is told. `only`: indexes of the GPUs to sample, None for all of them."""

    period_s: float
    emit: Emit
    only: Sequence[int] | None = None
    replay: Path | None = None


class Source(Protocol):
    """Emits samples from `start` to `stop`, in threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Returns when nothing of it is left running: threads, child processes."""

    def status(self) -> SourceStatus: ...

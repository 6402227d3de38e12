"""Samples in the order they came, each with the stage that was on when it was read. Bounded."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from gpu_sidecar.dmon import GpuSample
from gpu_sidecar.summary import compute_gpu_stats

# Ten hours of one GPU at one sample a second; 20 to 30 MB of Python objects.
MAX_SAMPLES = 36_000
MAX_MARKS = 1_000
# One answer holds no more than this many samples (about 1 MB); the caller comes back for the rest.
MAX_PAGE = 5_000


@dataclass(frozen=True)
class Tag:
    """What the load test says is going on. All None: nothing is."""

    run_id: str | None = None
    stage: int | None = None
    users: int | None = None
    phase: str | None = None


@dataclass(frozen=True)
class Mark:
    """From this moment on (wall and monotonic clock, seconds) samples carry this tag."""

    tag: Tag
    wall: float
    mono: float


@dataclass(frozen=True)
class TaggedSample:
    """`seq` counts from 1 without gaps. `wall` and `mono` are the moment at which the row was read."""

    seq: int
    wall: float
    mono: float
    sample: GpuSample
    mark: Mark

    def as_row(self) -> dict[str, Any]:
        """Flat, as in `GET /samples`; the three headline values are always there."""
        row: dict[str, Any] = {"seq": self.seq, "t": self.wall, "mono": self.mono, "gpu": self.sample.gpu}
        row.update(sm_pct=None, mem_pct=None, fb_mib=None)
        row.update(self.sample.values)
        row.update(asdict(self.mark.tag))
        return row


@dataclass(frozen=True)
class Page:
    """`next` is what to ask for next; `dropped` samples were overwritten before they were asked for."""

    samples: list[TaggedSample]
    next: int
    dropped: int
    more: bool


class Timeline:
    """Written by the thread that reads dmon, read by the threads that answer: every method takes the lock."""

    def __init__(self, max_samples: int = MAX_SAMPLES) -> None:
        self._lock = threading.Lock()
        self._samples: deque[TaggedSample] = deque(maxlen=max_samples)
        self._marks: deque[Mark] = deque(maxlen=MAX_MARKS)
        self._mark = Mark(Tag(), 0.0, 0.0)
        self._last_seq = 0

    @property
    def last_seq(self) -> int:
        """The newest sample's number, 0 before the first: how many there have been."""
        return self._last_seq

    @property
    def last(self) -> TaggedSample | None:
        with self._lock:
            return self._samples[-1] if self._samples else None

    @property
    def tag(self) -> Tag:
        return self._mark.tag

    def add(self, sample: GpuSample, wall: float, mono: float) -> None:
        with self._lock:
            self._last_seq += 1
            self._samples.append(TaggedSample(self._last_seq, wall, mono, sample, self._mark))

    def mark(self, tag: Tag, wall: float, mono: float) -> None:
        """From now on samples carry `tag`. Saying the same again changes nothing, so repeating is safe."""
        with self._lock:
            if tag != self._mark.tag:
                self._mark = Mark(tag, wall, mono)
                self._marks.append(self._mark)

    def after(self, seq: int) -> Page:
        """Samples numbered above `seq`, oldest first. `seq` below 0 counts as 0."""
        with self._lock:
            seq = max(seq, 0)
            first_kept = self._last_seq - len(self._samples) + 1
            start = max(seq + 1, first_kept)
            found = list(islice(self._samples, start - first_kept, start - first_kept + MAX_PAGE))
            next_seq = found[-1].seq if found else self._last_seq
            dropped = max(0, first_kept - seq - 1)
            return Page(found, next_seq, dropped, more=next_seq < self._last_seq)

    def stages(self) -> list[dict[str, Any]]:
        """Every mark with the GPU figures of its samples; None where there were none (or none are kept)."""
        with self._lock:
            marks, samples = list(self._marks), list(self._samples)
        by_mark: dict[Mark, list[GpuSample]] = {mark: [] for mark in marks}
        for tagged in samples:
            by_mark.setdefault(tagged.mark, []).append(tagged.sample)
        return [_stage_row(mark, by_mark[mark]) for mark in marks]


def _stage_row(mark: Mark, samples: list[GpuSample]) -> dict[str, Any]:
    stats = compute_gpu_stats(samples)
    row: dict[str, Any] = {"t": mark.wall, "mono": mark.mono, "gpu": asdict(stats) if stats else None}
    row.update(asdict(mark.tag))
    return row

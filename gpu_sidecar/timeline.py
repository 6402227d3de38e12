"""Keeps the newest samples of all devices in order, each with the stage that it was read in."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gpu_sidecar.metrics import GPU
from gpu_sidecar.packed import DeviceKey, Layout, columns, layout_of, pack, unpack
from gpu_sidecar.sample import Sample
from gpu_sidecar.summary import DeviceSummary, summarise

# Enough for four hours of 8 GPUs, the host and the server at one sample a second each.
MAX_SAMPLES = 144_000
MAX_STAGE_CHANGES = 1_000
# One answer holds no more than this many samples (half a MB of JSON), since 64 clients may take their time to read
# theirs; the caller comes back for the rest.
MAX_PAGE = 1_000

_HEADLINE = ("sm_pct", "mem_pct", "fb_mib")


@dataclass(frozen=True)
class StageTag:
    """The stage that the load test announced. All None: no load test is running."""

    run_id: str | None = None
    stage: int | None = None
    users: int | None = None
    phase: str | None = None


@dataclass(frozen=True)
class StageChange:
    """The moment (wall and monotonic clock, seconds) from which on samples carry this tag."""

    tag: StageTag
    wall: float
    mono: float


_BEFORE_ALL = StageChange(StageTag(), 0.0, 0.0)


@dataclass(frozen=True)
class TaggedSample:
    """A sample with its number and stage. `seq` counts up without gaps; `wall` and `mono` say when it was read."""

    seq: int
    wall: float
    mono: float
    sample: Sample
    change: StageChange

    def as_row(self) -> dict[str, Any]:
        """The row in `GET /samples`. A GPU's three headline fields are always there, `mig` only for a MIG device."""
        sample = self.sample
        row: dict[str, Any] = {"seq": self.seq, "t": self.wall, "mono": self.mono}
        row.update(kind=sample.kind, gpu=sample.gpu)
        if sample.mig is not None:
            row["mig"] = sample.mig
        if sample.kind == GPU:
            row.update(dict.fromkeys(_HEADLINE))
        row.update(sample.values)
        row.update(asdict(self.change.tag))
        return row


@dataclass(frozen=True)
class Page:
    """A part of the samples. Continue after `next`; `dropped` samples were overwritten before anyone asked for them."""

    samples: list[TaggedSample]
    next: int
    dropped: int
    more: bool


class _StoredSample(NamedTuple):
    layout: Layout
    change: StageChange
    packed: bytes


class Timeline:
    """The samples and changes of stage, as far as they are kept. All methods may be called from any thread.

    Measured: an hour of 8 GPUs with 21 values each, the host and the server, at one sample a second, takes 10 MB;
    the four hours that are kept 39 MB. `tests/gpu_sidecar/test_gpu_timeline.py` holds it to 15 MB an hour.
    """

    def __init__(self, max_samples: int = MAX_SAMPLES) -> None:
        self.max_samples = max_samples
        self._lock = threading.Lock()
        self._kept: list[_StoredSample] = []  # a ring: the nth sample, from 0, is at n % max_samples
        self._n_taken = 0
        self._first_seq_offset = 0  # the last number of an earlier start of the sidecar, from which ours go on
        self._has_shown_numbers = False
        self._layouts: dict[Layout, Layout] = {}  # few: one for each device and set of columns
        self._newest: dict[DeviceKey, int] = {}
        self._changes: deque[StageChange] = deque(maxlen=MAX_STAGE_CHANGES)
        self._current_change = _BEFORE_ALL

    @property
    def n_taken(self) -> int:
        """How many samples there have been."""
        return self._n_taken

    @property
    def n_kept(self) -> int:
        return len(self._kept)

    @property
    def last_seq(self) -> int:
        """The newest sample's number; 0 before the first."""
        with self._lock:
            return self._last_seq()

    @property
    def tag(self) -> StageTag:
        return self._current_change.tag

    def add(self, sample: Sample, wall: float, mono: float) -> None:
        layout, packed = layout_of(sample), pack(sample, wall, mono)
        with self._lock:
            kept = _StoredSample(self._layouts.setdefault(layout, layout), self._change_at(mono), packed)
            if len(self._kept) < self.max_samples:
                self._kept.append(kept)
            else:
                self._kept[self._n_taken % self.max_samples] = kept
            self._newest[layout.device] = self._n_taken
            self._n_taken += 1

    def change_stage(self, tag: StageTag, wall: float, mono: float) -> StageChange | None:
        """Tags all samples from now on. Returns None if they have this tag already."""
        with self._lock:
            if tag == self._current_change.tag:
                return None
            self._current_change = StageChange(tag, wall, mono)
            self._changes.append(self._current_change)
            return self._current_change

    def count_on_from(self, after: int) -> None:
        """Numbers the samples of this start from `after` + 1 on, so that a reader's sequence survives a restart.

        Numbers only go up, and stay once somebody has read a sample with its number.
        """
        with self._lock:
            if not self._has_shown_numbers and after > self._last_seq():
                self._first_seq_offset = after

    def after(self, seq: int) -> Page:
        """Samples numbered above `seq`, oldest first. `seq` below 0 counts as 0."""
        with self._lock:
            last_seq = self._last_seq()
            first_kept = last_seq - len(self._kept) + 1
            start = max(seq + 1, first_kept)
            stop = min(start + MAX_PAGE, last_seq + 1)
            found = [(number, self._at(number)) for number in range(start, stop)]
            self._has_shown_numbers = self._has_shown_numbers or bool(found)
            dropped = max(0, first_kept - max(seq, self._first_seq_offset) - 1)
        next_seq = found[-1][0] if found else last_seq
        return Page([_tagged(*each) for each in found], next_seq, dropped, more=next_seq < last_seq)

    def newest(self) -> list[TaggedSample]:
        """The newest kept sample of each device, GPUs first."""
        with self._lock:
            first_kept = self._n_taken - len(self._kept)
            places = {device: place for device, place in self._newest.items() if place >= first_kept}
            found = [
                (self._first_seq_offset + places[device] + 1, self._kept[places[device] % self.max_samples])
                for device in sorted(places, key=_device_order)
            ]
        return [_tagged(*each) for each in found]

    def stages(self) -> list[dict[str, Any]]:
        """Every change of stage with the summary of its samples for each device, as far as they are kept."""
        with self._lock:
            changes, kept = list(self._changes), list(self._kept)
        by_change: dict[int, dict[Layout, list[bytes]]] = {id(change): {} for change in changes}
        for layout, change, packed in kept:
            by_change.setdefault(id(change), {}).setdefault(layout, []).append(packed)
        return [_stage_row(change, by_change[id(change)]) for change in changes]

    def _change_at(self, mono: float) -> StageChange:
        """The change of stage that a sample of this moment belongs to: one may be added a while after it was taken."""
        if self._current_change.mono <= mono:
            return self._current_change
        return next((change for change in reversed(self._changes) if change.mono <= mono), _BEFORE_ALL)

    def _last_seq(self) -> int:
        return self._first_seq_offset + self._n_taken

    def _at(self, seq: int) -> _StoredSample:
        return self._kept[(seq - self._first_seq_offset - 1) % self.max_samples]


def _tagged(seq: int, kept: _StoredSample) -> TaggedSample:
    sample, wall, mono = unpack(kept.layout, kept.packed)
    return TaggedSample(seq, wall, mono, sample, kept.change)


def _stage_row(change: StageChange, by_layout: dict[Layout, list[bytes]]) -> dict[str, Any]:
    row: dict[str, Any] = {"t": change.wall, "mono": change.mono}
    row["devices"] = [asdict(device) for device in _figures_by_device(by_layout)]
    row.update(asdict(change.tag))
    return row


def _figures_by_device(by_layout: dict[Layout, list[bytes]]) -> Iterable[DeviceSummary]:
    """The summary of each device. It has several layouts if its source was restarted and gave other columns."""
    for device in sorted({layout.device for layout in by_layout}, key=_device_order):
        n = 0
        values: dict[str, list[float]] = {}
        for layout, packed_samples in by_layout.items():
            if layout.device == device:
                n += len(packed_samples)
                for field, column in columns(layout, packed_samples).items():
                    values.setdefault(field, []).extend(column)
        found = {field: summarise(column) for field, column in values.items()}
        yield DeviceSummary(*device, n, {field: figures for field, figures in found.items() if figures is not None})


def _device_order(device: DeviceKey) -> tuple[bool, str, int, int]:
    none_first = (-1 if device.gpu is None else device.gpu, -1 if device.mig is None else device.mig)
    return (device.kind != GPU, device.kind, *none_first)

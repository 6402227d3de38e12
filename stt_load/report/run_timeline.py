"""A run over wall-clock time: who was there, what came of the utterances, how busy the server was.

A run may have a million utterances, so a part of them is drawn: a sample for each stage, of completed and of failed
ones, from a fixed seed, so that a report made again is the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from stt_load.errors import Outcome
from stt_load.metrics.failures import has_failed
from stt_load.records import UtteranceRecord
from stt_load.report.coverage import Span
from stt_load.report.device import DEVICE_KINDS, Device
from stt_load.report.device_samples import SampleRow, by_device, value_of
from stt_load.report.stage_timeline import StageTimeline

MOST_DOTS = 2_000
"""The utterances of a run that are drawn: so many completed ones, and half as many failed ones."""

_BINS = 120
_SEED = 1
_OK = str(Outcome.OK)
_STARTED_AT, _FRAMES, _FRAMES_LATE = map(attrgetter, ("started_at", "frames", "frames_late"))
_NEARLY_CERTAIN = 1 - 1e-9  # whose logarithm still exists


@dataclass(frozen=True, slots=True)
class Dot:
    """One utterance. `began`: wall clock. `value_s`: its headline figure; None where it failed."""

    began: float
    value_s: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of one stage. `of`: its callers, or the rate of its calls. `reached`: callers there when it began."""

    stage: int
    name: str
    of: str
    reached: int
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Utilisation:
    """How busy a device was: points of time and mean."""

    name: str
    unit: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class RunTimeline:
    """What happened when in a run, from `began` to `ended`, wall clock.

    `n_completed`, `n_failed`: utterances of which `completed` and `failed` are a sample. `late`: start of each bin of
    `bin_s` seconds with the share of frames that were late, of utterances that began in it; bins without frames are
    left out.
    """

    began: float
    ended: float
    phases: tuple[Phase, ...]
    completed: tuple[Dot, ...]
    n_completed: int
    failed: tuple[Dot, ...]
    n_failed: int
    bin_s: float
    late: tuple[tuple[float, float], ...]
    utilisations: tuple[Utilisation, ...]
    on_line: tuple[tuple[float, float], ...] = ()  # with --arrivals: moments, and callers on the line then


class Reservoir:
    """A uniform sample of utterances of which nobody knows how many will come: algorithm L (Li, ACM TOMS 1994), which
    skips from one that it takes to the next."""

    def __init__(self, size: int, rng: random.Random) -> None:
        self.n = 0
        self.dots: list[Dot] = []
        self._size = size
        self._rng = rng
        self._weight = 1.0
        self._next = 0  # the number of the next utterance to be taken

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        before, self.n = self.n, self.n + len(records)
        while self._next < self.n:
            record = records[self._next - before]
            value_s = record.headline_s if record.outcome == Outcome.OK else None
            dot = Dot(record.started_at, value_s, str(record.outcome))
            if len(self.dots) < self._size:
                self.dots.append(dot)
                self._next += 1
                if len(self.dots) < self._size:
                    continue
                self._next -= 1
            else:
                self.dots[self._rng.randrange(self._size)] = dot
            self._weight *= math.exp(math.log(1.0 - self._rng.random()) / self._size)
            chance = min(self._weight, _NEARLY_CERTAIN)
            self._next += math.floor(math.log(1.0 - self._rng.random()) / math.log1p(-chance)) + 1


@dataclass(slots=True)
class StageDots:
    """The sampled utterances of one stage, counted or not."""

    completed: Reservoir
    failed: Reservoir

    @classmethod
    def of(cls, stage: int, n_stages: int) -> StageDots:
        rng = random.Random(_SEED + stage)
        size = max(MOST_DOTS // max(n_stages, 1), 1)
        return cls(Reservoir(size, rng), Reservoir(max(size // 2, 1), rng))

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        completed = [record for record in records if record.outcome == _OK]
        self.completed.add(completed)
        if len(completed) < len(records):
            self.failed.add([record for record in records if has_failed(record)])


class LateFrames:
    """Frames, and those that were late, by the moment at which their utterance began."""

    def __init__(self, began: float, ended: float) -> None:
        self.began = began
        self.bin_s = max((ended - began) / _BINS, 1.0)
        self._frames = np.zeros(_BINS + 1)
        self._late = np.zeros(_BINS + 1)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances. What began after the last line of stages.jsonl, in a run that was killed, is in the last
        bin."""
        began = np.array(list(map(_STARTED_AT, records)))
        place = np.clip((began - self.began) / self.bin_s, 0, _BINS).astype(int)
        for total, counts in (
            (self._frames, list(map(_FRAMES, records))),
            (self._late, list(map(_FRAMES_LATE, records))),
        ):
            total += np.bincount(place, counts, minlength=_BINS + 1)

    def shares(self) -> tuple[tuple[float, float], ...]:
        return tuple(
            (self.began + place * self.bin_s, float(self._late[place] / frames))
            for place, frames in enumerate(self._frames)
            if frames
        )


def run_span(stages: Sequence[StageTimeline]) -> Span:
    """When the run began and when its last line of stages.jsonl was written, wall clock."""
    moments = [float(line["t"]) for stage in stages for line in stage.lines]
    return min(moments, default=0.0), max(moments, default=0.0)


def run_timeline(
    stages: Sequence[StageTimeline],
    dots: Mapping[int, StageDots],
    late: LateFrames,
    samples: Sequence[SampleRow],
) -> RunTimeline:
    """The timeline of a run. `dots`: of each stage."""
    phases = tuple(_phases(stages))
    began, ended = _span(phases, late)
    completed, failed = [mine.completed for mine in dots.values()], [mine.failed for mine in dots.values()]
    return RunTimeline(
        began=began,
        ended=ended,
        phases=phases,
        completed=tuple(dot for mine in completed for dot in mine.dots),
        n_completed=sum(mine.n for mine in completed),
        failed=tuple(dot for mine in failed for dot in mine.dots),
        n_failed=sum(mine.n for mine in failed),
        bin_s=late.bin_s,
        late=late.shares(),
        utilisations=tuple(_utilisations(samples, began, ended)),
    )


def _phases(stages: Iterable[StageTimeline]) -> Iterable[Phase]:
    for stage in stages:
        for line, after in zip(stage.lines, stage.lines[1:], strict=False):
            if line["stage"] == stage.stage:
                yield Phase(
                    stage.stage,
                    str(line["phase"]),
                    stage.load.rate if stage.load else str(line["users"]),
                    int(line["reached"]),
                    float(line["t"]),
                    float(after["t"]),
                )


def _span(phases: Sequence[Phase], late: LateFrames) -> Span:
    """When the run began and ended. A run that was killed ends with its last bin that has utterances."""
    ended = max((phase.ended for phase in phases), default=late.began)
    last = max((at + late.bin_s for at, _ in late.shares()), default=ended)
    return late.began, max(ended, last)


def _utilisations(samples: Sequence[SampleRow], began: float, ended: float) -> Iterable[Utilisation]:
    """How busy the busiest device of each kind was: the GPU, the server's processes, and the host where there is
    neither."""
    found: dict[str, list[tuple[float, Device, tuple[tuple[float, float], ...]]]] = {}
    for device, mine in by_device(samples).items():
        points = _binned(mine, DEVICE_KINDS[device.kind].busy, began, ended)
        if points:
            mean = math.fsum(value for _, value in points) / len(points)
            found.setdefault(device.kind, []).append((mean, device, points))
    kinds = [kind for kind in found if kind != "host"] or list(found)
    for kind in kinds:
        _, device, points = max(found[kind], key=lambda row: row[0])
        yield Utilisation(device.name, DEVICE_KINDS[kind].unit, points)


def _binned(samples: Iterable[SampleRow], name: str, began: float, ended: float) -> tuple[tuple[float, float], ...]:
    """The mean of a field in each bin that has it, at the middle of the bin."""
    bin_s = max((ended - began) / _BINS, 1.0)
    bins: dict[int, list[float]] = {}
    for sample in samples:
        taken, value = sample.get("t"), value_of(sample, name)
        if isinstance(taken, (int, float)) and value is not None and began <= taken <= ended:
            bins.setdefault(int((taken - began) / bin_s), []).append(value)
    return tuple(
        (began + (place + 0.5) * bin_s, math.fsum(values) / len(values)) for place, values in sorted(bins.items())
    )

"""The samples of one hold, and the figures of each device that are made of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from stt_load.metrics.quantiles import Distribution
from stt_load.report.coverage import Span, coverage
from stt_load.report.device import DEVICE_KINDS, Device, DeviceFigures, is_covered
from stt_load.sidecar_rows import SampleTags

SampleRow = Mapping[str, Any]
Points = Sequence[tuple[float | None, float]]
"""(when, value) of the samples that hold one field."""

_TAGS = frozenset(SampleTags.__annotations__)
_NO_QUANTITIES = _TAGS | {"throttle_reasons"}  # a set of bits has no mean
_THROTTLE_FIELDS = frozenset({"power_violation_pct", "thermal_violation", "throttle_reasons"})
_FEWEST_FOR_A_SLOPE = 10
_SHORTEST_FOR_A_SLOPE_S = 20.0  # one MiB of noise within 10 s would be 6 MiB a minute

_HELD_BACK = 0x04 | 0x08 | 0x20 | 0x40 | 0x80
"""Bits of `throttle_reasons` that power or heat sets: software power cap, hardware slowdown, software and hardware
thermal slowdown, hardware power brake. The others are no trouble: idle (0x01), application clocks (0x02), sync boost
(0x10), display clocks (0x100). Source: NVML API reference, nvmlClocksEventReasons."""


@dataclass(frozen=True, slots=True)
class SampledHold:
    """One hold. `span`: wall clock of the master. `audio_s`: audio that all callers sent in it; None if unknown."""

    span: Span
    audio_s: float | None

    @property
    def length_s(self) -> float:
        return self.span[1] - self.span[0]


def device_of(sample: SampleRow) -> Device | None:
    """The device that was sampled; None for a kind of device that this version does not know."""
    kind = str(sample.get("kind", "gpu"))
    if kind not in DEVICE_KINDS:
        return None
    host = str(sample.get("host", ""))
    return (
        Device(host, kind, _index(sample.get("gpu")), _index(sample.get("mig")))
        if kind == "gpu"
        else Device(host, kind)
    )


def by_device(samples: Iterable[SampleRow]) -> dict[Device, list[SampleRow]]:
    """The samples of each device; devices are in the order of `Device.place`."""
    groups: dict[Device, list[SampleRow]] = {}
    for sample in samples:
        device = device_of(sample)
        if device is not None:
            groups.setdefault(device, []).append(sample)
    return {device: groups[device] for device in sorted(groups, key=lambda device: device.place)}


def times_of(samples: Iterable[SampleRow]) -> list[float]:
    """When the samples were taken, in order."""
    return sorted(taken for sample in samples if (taken := _number(sample.get("t"))) is not None)


def fields_of(samples: Iterable[SampleRow]) -> frozenset[str]:
    """The fields that have a value in any of these samples."""
    found = set(_TAGS)
    for sample in samples:
        found.update(name for name in sample.keys() - found if holds(sample, name))
    return frozenset(found - _TAGS)


def headline_of(device: Device, reported: Collection[str]) -> str:
    """The field by which a device counts as sampled: its load, or its memory where it never reports a load."""
    kind = DEVICE_KINDS[device.kind]
    return kind.memory if kind.memory in reported and kind.busy not in reported else kind.busy


def holds(sample: SampleRow, name: str) -> bool:
    """True if the sample has a value of this field."""
    return value_of(sample, name) is not None


def measure(
    device: Device,
    samples: Sequence[SampleRow],
    hold: SampledHold | None,
    reach: float,
    gaps: Sequence[Span] = (),
    reported: Set[str] | None = None,
) -> DeviceFigures:
    """The figures of one device. `hold` is None where it never ended. `reach` and `gaps`: as in `coverage`.

    `reported`: the fields that the device reports anywhere in the run; None: those of these samples.
    """
    reported = fields_of(samples) if reported is None else reported
    points = {name: _points(samples, name) for name in sorted(reported)}
    covered = _coverages(samples, points, hold, reach, gaps) if hold else {}
    headline, memory = headline_of(device, reported), DEVICE_KINDS[device.kind].memory
    energy_j = _energy_j(points.get("power_w", ()), hold, covered.get("power_w"))
    audio_s = hold.audio_s if hold else None
    return DeviceFigures(
        device=device,
        fields={
            name: Distribution.of(value for _, value in found)
            for name, found in points.items()
            if found and name not in _NO_QUANTITIES
        },
        coverage=covered.get(headline, coverage((), hold.span, reach, gaps)) if hold else None,
        coverages=covered,
        throttled=_throttled(samples),
        energy_j=energy_j,
        energy_per_audio_minute_j=energy_j / (audio_s / 60) if energy_j is not None and audio_s else None,
        memory_growth_mib_per_min=_slope_per_min(points.get(memory, ())),
    )


def _coverages(
    samples: Sequence[SampleRow], points: Mapping[str, Points], hold: SampledHold, reach: float, gaps: Sequence[Span]
) -> dict[str, float | None]:
    """The coverage of each field of `points`, and of `throttled`, which is made of several."""
    times = {name: sorted(taken for taken, _ in found if taken is not None) for name, found in points.items()}
    if points.keys() & _THROTTLE_FIELDS:
        times["throttled"] = times_of(sample for sample in samples if _held_back(sample) is not None)
    # Most fields stand in the same samples: what was counted once is not counted again.
    known: dict[tuple[float, ...], float | None] = {}
    for taken in times.values():
        if (key := tuple(taken)) not in known:
            known[key] = coverage(taken, hold.span, reach, gaps)
    return {name: known[tuple(taken)] for name, taken in times.items()}


def _energy_j(points: Points, hold: SampledHold | None, share: float | None) -> float | None:
    """Mean power times the hold; None where the power was not sampled in 90 % of it. `share`: how much was."""
    if hold is None or not points or not is_covered(share):
        return None
    return math.fsum(power_w for _, power_w in points) / len(points) * hold.length_s


def _throttled(samples: Sequence[SampleRow]) -> float | None:
    """The mean share of time in which clocks were held back, over the samples that report it."""
    shares = [share for sample in samples if (share := _held_back(sample)) is not None]
    return math.fsum(shares) / len(shares) if shares else None


def _held_back(sample: SampleRow) -> float | None:
    """The share of one sample's time in which clocks were held back, 0 to 1.

    dmon gives a share for power and a flag for heat; `throttle_reasons` is the state at the moment of the sample.
    """
    power_pct, heat = _number(sample.get("power_violation_pct")), _number(sample.get("thermal_violation"))
    reasons = _number(sample.get("throttle_reasons"))
    shares = [
        None if power_pct is None else min(1.0, power_pct / 100),
        None if heat is None else float(heat > 0),
        None if reasons is None else float(int(reasons) & _HELD_BACK != 0),
    ]
    return max((share for share in shares if share is not None), default=None)


def _slope_per_min(points: Points) -> float | None:
    """Least squares of value over time; None for fewer than ten points, or for less than 20 s of them."""
    placed = sorted((taken, value) for taken, value in points if taken is not None)
    if len(placed) < _FEWEST_FOR_A_SLOPE:
        return None
    began, ended = placed[0][0], placed[-1][0]
    if ended - began < _SHORTEST_FOR_A_SLOPE_S:
        return None
    # Times relative to `began` are small numbers, which lose no digits.
    line = statistics.linear_regression([taken - began for taken, _ in placed], [value for _, value in placed])
    return line.slope * 60


def _points(samples: Sequence[SampleRow], name: str) -> Points:
    """The samples that have a value of this field."""
    return [(_number(sample.get("t")), value) for sample in samples if (value := value_of(sample, name)) is not None]


def value_of(sample: SampleRow, name: str) -> float | None:
    """A field of a sample. A server without a process has no memory and uses no CPU: older sidecars give 0 for it."""
    is_gone = sample.get("processes") == 0 and name != "processes"
    return None if is_gone else _number(sample.get(name))


def _number(value: object) -> float | None:
    """The value if it is a finite number. Samples come from another machine and may hold anything."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) else None


def _index(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

"""Values of one device -> its figures over a stage: mean, p95 and peak of every field that has values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldSummary:
    """Of one field, in that field's unit."""

    mean: float
    p95: float
    max: float


@dataclass(frozen=True)
class DeviceSummary:
    """Of the `n` samples of one device. `figures` lacks a field that no sample had a value for."""

    kind: str
    gpu: int | None
    mig: int | None
    n: int
    figures: Mapping[str, FieldSummary]


def summarise(values: Sequence[float]) -> FieldSummary | None:
    """None for no values: nothing was measured, which is not the same as an idle device.

    The mean weighs every sample alike (a source's period is constant). p95 is nearest rank, as everywhere in
    stt-load.
    """
    if not values:
        return None
    return FieldSummary(mean=math.fsum(values) / len(values), p95=nearest_rank(values, 0.95), max=max(values))


def nearest_rank(values: Sequence[float], p: float) -> float:
    """`sorted[ceil(p*n) - 1]`: always a value that was measured. `p` in (0, 1]; at least one value."""
    return sorted(values)[math.ceil(p * len(values)) - 1]

"""Summarises the values of one device over a stage: mean, p95 and maximum of every field that has values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldSummary:
    """Mean, 95th percentile and maximum of one field, in that field's unit."""

    mean: float
    p95: float
    max: float


@dataclass(frozen=True)
class DeviceSummary:
    """The summary of the `n` samples of one device, as in `GET /stages`. `figures` leaves out fields without values."""

    kind: str
    gpu: int | None
    mig: int | None
    n: int
    figures: Mapping[str, FieldSummary]


def summarise(values: Sequence[float]) -> FieldSummary | None:
    """The summary of these values. None without values: nothing was measured, which is not the same as an idle device.

    The mean weighs all samples alike, since a source's period is constant. p95 is nearest rank, as everywhere in
    stt-load.
    """
    if not values:
        return None
    return FieldSummary(mean=math.fsum(values) / len(values), p95=nearest_rank(values, 0.95), max=max(values))


def nearest_rank(values: Sequence[float], p: float) -> float:
    """The nearest-rank percentile `sorted[ceil(p*n) - 1]`, which is always a measured value.

    `p` is in (0, 1], and there must be a value.
    """
    return sorted(values)[math.ceil(p * len(values)) - 1]

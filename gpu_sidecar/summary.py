"""GPU samples -> the four figures of a stage: utilisation mean and p95, memory mean and peak."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpu_sidecar.dmon import GpuSample


@dataclass(frozen=True)
class GpuStats:
    """Of `n` samples. A figure is None where no sample had a value for it (the card can't tell)."""

    n: int
    util_mean_pct: float | None
    util_p95_pct: float | None
    memory_mean_mib: float | None
    memory_peak_mib: float | None


def compute_gpu_stats(samples: Sequence[GpuSample]) -> GpuStats | None:
    """None for no samples: nothing was measured, which is not the same as an idle GPU.

    Means weigh every sample alike (dmon's period is constant). p95 is nearest rank, as everywhere in stt-load.
    """
    if not samples:
        return None
    util_pct = [sample.sm_pct for sample in samples if sample.sm_pct is not None]
    memory_mib = [sample.fb_mib for sample in samples if sample.fb_mib is not None]
    return GpuStats(
        n=len(samples),
        util_mean_pct=_mean(util_pct),
        util_p95_pct=nearest_rank(util_pct, 0.95),
        memory_mean_mib=_mean(memory_mib),
        memory_peak_mib=max(memory_mib, default=None),
    )


def nearest_rank(values: Sequence[float], p: float) -> float | None:
    """`sorted[ceil(p*n) - 1]`: always a value that was measured. `p` in (0, 1]; None for no values."""
    if not values:
        return None
    return sorted(values)[math.ceil(p * len(values)) - 1]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

"""GPU samples of a hold, gathered per GPU.

The tables show one GPU, the busiest (highest mean utilisation): a server on one GPU of eight must not look
idle because seven others are, and memory of different GPUs is no common pool. `summary.json` has them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stt_load.metrics.quantiles import Distribution
from stt_load.report.model import GpuFigures

Sample = Mapping[str, Any]
Span = tuple[float, float]  # from, to; wall clock of the master, seconds since 1970

EDGE_S = 1.5
"""dmon samples once a second: so far may a tag and the master's clock differ at the edge of a hold."""


def gpu_figures(samples: Iterable[Sample]) -> tuple[GpuFigures, ...]:
    """One row per GPU, the busiest first; no samples, no rows."""
    groups: dict[tuple[str, int], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((str(sample.get("host", "")), int(sample.get("gpu", 0))), []).append(sample)
    rows = [
        GpuFigures(host, gpu, sm_pct=_column(group, "sm_pct"), fb_mib=_column(group, "fb_mib"))
        for (host, gpu), group in sorted(groups.items())
    ]
    return tuple(sorted(rows, key=lambda row: -(row.sm_pct.mean or 0.0)))


def samples_of_hold(samples: Iterable[Sample], stage: int, span: Span | None) -> list[Sample]:
    """The samples taken in the hold of `stage`: by tag, or by time where the sidecar did not know."""
    return [
        sample
        for sample in samples
        if (sample.get("stage") == stage and sample.get("phase") == "hold")
        or (sample.get("stage") is None and span is not None and _is_within(sample, *span))
    ]


def mistagged(samples: Iterable[Sample], span: Span | None) -> int:
    """How many of a hold's samples were taken clearly outside it by the master's clock."""
    if span is None:
        return 0
    return sum(not _is_within(sample, span[0] - EDGE_S, span[1] + EDGE_S) for sample in samples)


def _is_within(sample: Sample, start_s: float, end_s: float) -> bool:
    taken_s = sample.get("t")
    return taken_s is not None and start_s <= taken_s < end_s


def _column(samples: Iterable[Sample], name: str) -> Distribution:
    return Distribution.of(float(sample[name]) for sample in samples if sample.get(name) is not None)

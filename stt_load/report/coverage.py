"""How much of a hold was sampled: arithmetic of sample times. All times are seconds on one clock.

hold      |---------------------------------------|
samples     x  x  x  x                 x  x  x  x
hole                  |_________________|               more than two reaches (`reach_s`) between two samples
covered   |============|               |===========|     the rest, and half a period at either end of the hole

A reach is longer than half a period, so that a sample that is late or lost makes no hole. What is a hole is missing but
for what its two samples stand for: a source that was quiet for 10 s lacks 9 s, not 7.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[float, float]  # from, to

_REACH_PERIODS = 1.5
_SLOWER_AT_MOST = 3.0
_PERIOD_S = 1.0  # of dmon, where there is nothing to go by


def reach_s(configured_s: float | None, times: Sequence[float], limit_s: float | None = None) -> float:
    """How far a sample reaches, either way: one and a half periods, and at least half of `limit_s`.

    `limit_s`: how long the sidecar lets its source be quiet before it calls that a gap; None if it didn't say.

    `configured_s`: the period that the sidecar was configured with. A tool that is slower (nvidia-smi takes its time
    for eight GPUs) still samples evenly, so its real period counts: the median spacing of `times` (ascending), up to
    three configured ones. A source that is slower than that counts as quiet.
    """
    median_s = statistics.median(later - earlier for earlier, later in pairwise(times)) if len(times) > 1 else None
    if configured_s is None:
        return _REACH_PERIODS * (median_s or _PERIOD_S)
    period_s = min(max(configured_s, median_s or configured_s), _SLOWER_AT_MOST * configured_s)
    return max(_REACH_PERIODS * period_s, (limit_s or 0.0) / 2)


def coverage(times: Sequence[float], hold: Span, reach: float, gaps: Iterable[Span] = ()) -> float | None:
    """The share of the hold that is covered, 0 to 1. None for a hold of no length.

    `times`: ascending. `gaps`: known from elsewhere, from a sample to a sample too; they count however short they are.
    """
    start, end = hold
    if end <= start:
        return None
    half_s = reach / _REACH_PERIODS / 2  # of a period
    missing_s = 0.0
    cut = [(max(began, start), min(ended, end)) for began, ended in gaps if began < end and ended > start]
    for began, ended in _merged([*holes(times, hold, reach), *cut]):
        # At an edge of the hold there is no sample.
        missing_from = began + half_s if began > start else start
        missing_to = ended - half_s if ended < end else end
        missing_s += max(0.0, missing_to - missing_from)
    return max(0.0, 1.0 - missing_s / (end - start))


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans, in order; those that overlap become one."""
    merged: list[Span] = []
    for began, ended in sorted(spans):
        if merged and began < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((began, ended))
    return merged


def holes(times: Sequence[float], hold: Span, reach: float) -> list[Span]:
    """Where samples are missing, each from the sample before it to the sample after it, within the hold."""
    start, end = hold
    within = [taken for taken in times if start <= taken <= end]
    # An edge of the hold is like the reach of a sample that is one reach outside it.
    marks = [start - reach, *within, end + reach]
    return [(max(a, start), min(b, end)) for a, b in pairwise(marks) if b - a > 2 * reach]

"""How much of a hold was sampled: arithmetic of sample times. All times are seconds on one clock.

hold      |---------------------------------------|
samples     x  x  x  x                 x  x  x  x
covered   |===============|         |=============|      nobody is further than `reach_s` from a sample
hole                  |_________________|               from the last sample to the next one
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

Span = tuple[float, float]  # from, to

_REACH_PERIODS = 1.5
_SLOWER_AT_MOST = 3.0
_PERIOD_S = 1.0  # of dmon, where there is nothing to go by


def reach_s(told_s: float | None, times: Sequence[float]) -> float:
    """How far a sample reaches, either way: one and a half periods.

    `told_s`: the period that the sidecar was told. A tool that is slower than told (nvidia-smi takes its time for
    eight GPUs) still samples evenly, so its real period counts: the median spacing of `times` (ascending), up to
    three told ones, from where on a source counts as quiet.
    """
    median_s = statistics.median(later - earlier for earlier, later in pairwise(times)) if len(times) > 1 else None
    if told_s is None:
        return _REACH_PERIODS * (median_s or _PERIOD_S)
    return _REACH_PERIODS * min(max(told_s, median_s or told_s), _SLOWER_AT_MOST * told_s)


def coverage(times: Sequence[float], hold: Span, reach: float) -> float | None:
    """The share of the hold that is covered, 0 to 1. `times`: ascending. None for a hold of no length."""
    start, end = hold
    if end <= start:
        return None
    covered, reached = 0.0, start
    for taken in times:
        begins, ends = max(reached, taken - reach), min(end, taken + reach)
        if ends > begins:
            covered, reached = covered + ends - begins, ends
    return min(1.0, covered / (end - start))


def holes(times: Sequence[float], hold: Span, reach: float) -> list[Span]:
    """The stretches of the hold that are not covered, each from the sample before it to the sample after it."""
    start, end = hold
    within = [taken for taken in times if start <= taken <= end]
    # An edge of the hold is like the reach of a sample that is one reach outside it.
    marks = [start - reach, *within, end + reach]
    return [(max(a, start), min(b, end)) for a, b in pairwise(marks) if b - a > 2 * reach]

"""What a server's metrics were in one hold, from the looks that were taken in it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stt_load.server_metrics.choice import Reading, ServerMetric, name_of

_LARGEST = 1e100
"""Nothing that a server counts is larger. Sums of larger values would not stay numbers."""

Look = tuple[float, Mapping[str, float]]
"""When it was taken, wall clock in seconds since 1970, and the value of each series."""


@dataclass(frozen=True, slots=True)
class ServerFigure:
    """One metric in one hold. `mean`: of the looks; of a rate, the growth over the whole hold by its length; of a
    histogram, the mean of what it observed in the hold. `max`: the largest between two looks, or at one. None: there
    were too few looks, or nothing was observed. `looks`: how many had it."""

    metric: ServerMetric
    mean: float | None
    max: float | None
    looks: int


def server_figures(metrics: Iterable[ServerMetric], looks: Sequence[Look]) -> tuple[ServerFigure, ...]:
    """The figures of one hold, of the metrics that any look has. `looks`: those of the hold, in order."""
    found = [_figure(metric, looks) for metric in metrics]
    return tuple(figure for figure in found if figure.looks)


def _figure(metric: ServerMetric, looks: Sequence[Look]) -> ServerFigure:
    picked = [(at_s, [_series(values, name) for name in metric.series]) for at_s, values in looks]
    having = [(at_s, series) for at_s, series in picked if all(series)]
    if metric.reading in (Reading.VALUE, Reading.MAX):
        combine = max if metric.reading is Reading.MAX else sum
        values = [combine(series[0].values()) for _, series in having]
        mean = statistics.fmean(values) if values else None
        return ServerFigure(metric, mean, max(values, default=None), len(having))
    steps = [
        (later_s - at_s, [_growth(old, new) for old, new in zip(before, after, strict=True)])
        for (at_s, before), (later_s, after) in pairwise(having)
        if later_s > at_s
    ]
    quotients = [_quotient(metric, [step]) for step in steps]
    known = [quotient for quotient in quotients if quotient is not None]
    return ServerFigure(metric, _quotient(metric, steps), max(known, default=None), len(having))


def _quotient(metric: ServerMetric, steps: Sequence[tuple[float, Sequence[float]]]) -> float | None:
    """Growth for each second, or sum for each observation; None where that divides by nothing."""
    grown = sum(growths[0] for _, growths in steps)
    over = sum(length_s if metric.reading is Reading.RATE else growths[1] for length_s, growths in steps)
    quotient = grown / over if over > 0 else math.inf
    return quotient if math.isfinite(quotient) else None


def _series(values: Mapping[str, float], name: str) -> dict[str, float]:
    return {series: value for series, value in values.items() if name_of(series) == name and abs(value) <= _LARGEST}


def _growth(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """How much the series grew. One that is lower than before was begun anew, and one that is new began at zero, when
    the server was restarted or a first caller came."""
    return sum(
        value - before.get(series, 0.0) if value >= before.get(series, 0.0) else value
        for series, value in after.items()
    )

"""A slope that a few odd points don't move: the median of the slopes of all pairs (Theil 1950, Sen 1968).

interval     ranks of these slopes by Kendall's S: var S = n(n − 1)(2n + 5) / 18
neighbours   points that follow each other are alike where a server is busy for minutes: with the correlation r of
             what is left beside the line, from each point to the next, var S is (1 + r) / (1 − r) times as large
             (r at least 0). Without that, every slow wave would be a drift
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

LEAST_POINTS = 8
"""The fewest points of which an interval says anything."""

Z = NormalDist().inv_cdf(0.975)
"""Of a normal distribution, 95 % lie within so many standard deviations of the mean."""

_MOST_ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class Slope:
    """How much y grows for each x. `low`, `high`: its 95 % interval. `level`: the median of y."""

    value: float
    low: float
    high: float
    level: float


def theil_sen(points: Sequence[tuple[float, float]]) -> Slope | None:
    """The slope through these points, x ascending and each x once; None for fewer than `LEAST_POINTS`, or where the
    pairs are too few for an interval."""
    n = len(points)
    if n < LEAST_POINTS:
        return None
    x, y = (np.array(column, np.float64) for column in zip(*points, strict=True))
    first, second = np.triu_indices(n, 1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    value = float(np.median(slopes))
    r = _likeness(y - value * x)
    reach = Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18 * (1 + r) / (1 - r))
    lower, upper = math.floor((len(slopes) - reach) / 2), math.ceil((len(slopes) + reach) / 2)
    if lower < 1 or upper >= len(slopes):
        return None
    return Slope(value, float(slopes[lower - 1]), float(slopes[upper]), float(np.median(y)))


def _likeness(rest: npt.NDArray[np.float64]) -> float:
    """The correlation of each value with the next one, from 0 to 0.9."""
    centred = rest - np.median(rest)
    scatter = float(centred @ centred)
    if not scatter:
        return 0.0
    return min(max(float(centred[1:] @ centred[:-1]) / scatter, 0.0), _MOST_ALIKE)

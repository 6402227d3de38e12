"""Student's t distribution: how far a mean of few values strays when its scatter is guessed from the same values.

The distribution function is the finite sum for a whole number of degrees of freedom (Abramowitz & Stegun 26.7.3 and
26.7.4); the quantile is found by halving. Both are exact to rounding.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

LIKE_NORMAL = 1_000
"""Degrees of freedom from which on the normal distribution is the same to three digits."""


@lru_cache(maxsize=4096)
def student_t(p: float, degrees: int) -> float:
    """The quantile `p`, from 0.5 to below 1, with `degrees` of freedom (1 or more)."""
    if degrees >= LIKE_NORMAL:
        return NormalDist().inv_cdf(p)
    low, high = 0.0, 1.0
    while student_t_cdf(high, degrees) < p:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_t_cdf(middle, degrees) < p else (low, middle)
    return (low + high) / 2


def student_t_cdf(t: float, degrees: int) -> float:
    """The probability of a value below `t`, which is 0 or more."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = degrees % 2
    term = cosine if is_odd else 1.0
    total = 0.0
    for power in range(2 + is_odd, degrees + 1, 2):
        total += term
        term *= cosine**2 * (power - 1) / power
    within = 2 / math.pi * (angle + sine * total) if is_odd else sine * total
    return 0.5 + within / 2

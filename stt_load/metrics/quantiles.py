"""Percentiles over raw values: nearest rank, with an order-statistic interval and an honest "too few".

    percentile p of n values      sorted[ceil(p·n) − 1]          always a value that was measured
    95 % interval of it           [sorted[l − 1], sorted[u − 1]]
        X ~ Binomial(n, p) is how many of n values fall below the true percentile;
        l is the largest rank with P(X < l) <= 2.5 %, u the smallest with P(X >= u) <= 2.5 %.
        Where n is too small for such a rank the end is None: the data does not bound it on that side.
    one-sided limits of it        the same with 5 % on the one side that is asked for: what objectives are judged by
    n supports p                  p^n <= 5 % and (1 − p)^n <= 5 %
        When all n values meet a bound, "the true percentile meets it" is wrong in at most 5 % of cases
        only from this n on: p50 needs 5 values, p95 needs 59, p99 needs 299.

No interpolation, no distribution assumed (David & Nagaraja, Order Statistics, section 7.1).
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from stt_load.metrics.kept_values import RunLengths

OF_VALUES = ("mean", "min", "max")
"""Statistics that are no percentiles: they say something of the values that there are, and nothing of missing ones."""

REPORTED = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
"""The percentiles that every table and file carries, by their names there."""

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_RISK = 0.05  # a 95 % statement: 5 % on one side, or 2.5 % on each of two
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values in ascending order, and their statistics. If it is empty, every statistic is None.

    Eight bytes a value: there may be a million. Where there are far more, `kept_values.py` has rounded them.
    """

    values: array[float] | RunLengths = field(default_factory=lambda: array("d"))

    @classmethod
    def of(cls, values: Iterable[float]) -> Distribution:
        ascending = array("d", values)
        np.frombuffer(ascending).sort(kind="stable")
        return cls(ascending)

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float | None:
        if not self.values:
            return None
        return (self.values.total if isinstance(self.values, RunLengths) else math.fsum(self.values)) / self.n

    @property
    def min(self) -> float | None:
        return self.values[0] if self.values else None

    @property
    def max(self) -> float | None:
        return self.values[-1] if self.values else None

    def at(self, p: float) -> float | None:
        """The percentile `p` (0 < p < 1) by nearest rank."""
        return self.values[rank(self.n, p) - 1] if self.values else None

    def ci95(self, p: float) -> tuple[float | None, float | None]:
        """The 95 % interval of the percentile `p`; None for an end that n values don't bound."""
        return self._interval(p, _RISK / 2)

    def limits(self, p: float) -> tuple[float | None, float | None]:
        """Two one-sided limits of the percentile `p` at 95 %: it is below the first, or above the second, in at most
        5 % of samples each. None for one that n values don't give."""
        return self._interval(p, _RISK)

    def _interval(self, p: float, risk: float) -> tuple[float | None, float | None]:
        lower, upper = interval_ranks(self.n, p, risk)
        return (
            None if lower is None else self.values[lower - 1],
            None if upper is None else self.values[upper - 1],
        )

    def with_infinite(self, n: int) -> Distribution:
        """The same values and n infinite ones."""
        if not n:
            return self
        if isinstance(self.values, RunLengths):
            return Distribution(self.values.with_more(math.inf, n))
        return Distribution(self.values + array("d", [math.inf]) * n)

    def supports(self, p: float) -> bool:
        """n is large enough to say anything about the percentile `p`."""
        return self.n >= smallest_n(p)

    def statistic(self, name: str) -> float | None:
        """`mean`, `min`, `max` or `pNN`; `pNN_low` and `pNN_high` are the ends of its 95 % interval."""
        if name in OF_VALUES:
            value: float | None = getattr(self, name)
            return value
        of, _, end = name.partition("_")
        p = percentile(of)
        if p is None:
            raise ValueError(f"{name!r} is not a statistic")
        return self.ci95(p)[("low", "high").index(end)] if end else self.at(p)


def percentile(statistic: str | None) -> float | None:
    """0.95 for p95; None for every other statistic."""
    match = _PERCENTILE.fullmatch(statistic or "")
    return float(match[1]) / 100 if match and float(match[1]) > 0 else None


def is_statistic(name: str | None) -> bool:
    """Whether it is what an objective may ask of a distribution: `mean`, `min`, `max` or `pNN`."""
    return name in OF_VALUES or percentile(name) is not None


def rank(n: int, p: float) -> int:
    """The 1-based nearest rank of percentile `p` among n values."""
    # 0.07 · 100 is 7.000000000000001 in floating point; its ceiling must be 7.
    return max(1, math.ceil(round(p * n, 9)))


@lru_cache
def smallest_n(p: float) -> int:
    """The smallest n that supports the percentile `p`: 5 for p50, 59 for p95, 299 for p99."""
    return math.ceil(math.log(_RISK) / math.log(max(p, 1 - p)))


@lru_cache(maxsize=4096)
def interval_ranks(n: int, p: float, risk: float) -> tuple[int | None, int | None]:
    """1-based ranks of the two ends of an interval of percentile `p`; None where n is too small.

    `risk`: of each end, the probability that the percentile is beyond it. Half of 5 % make the 95 % interval.
    """
    if n == 0:
        return None, None

    def below(k: int) -> float:
        return binomial_cdf(k, n, p)

    # One value beyond p95 has a risk of exactly 5 %, which rounding must not decide: it proves nothing.
    lower = bisect_right(range(n + 1), risk - _ROUNDING, key=below)  # how many k have P(X <= k) < risk
    upper = bisect_left(range(n + 1), 1 - risk, key=below) + 1
    return (lower or None), (upper if upper <= n else None)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p). Summed from the largest term of the smaller tail, so that n may be large."""
    if k < 0:
        return 0.0
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    if k >= n * p:
        return 1 - binomial_cdf(n - k - 1, n, 1 - p)
    log_term = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p)
    term = math.exp(log_term + (n - k) * math.log1p(-p))
    total, odds = term, (1 - p) / p
    while k and term > 1e-17 * total:
        term *= odds * k / (n - k + 1)
        total += term
        k -= 1
    return total

"""Figures of a stage as estimates: what was measured, and how far n utterances bound what the server is really like.

    figure                      limits at 95 %, each on its own
    percentile                  order statistics; a failed utterance is later than any bound
    share of utterances         Clopper & Pearson 1934, the binomial taken exactly
    error rate, mean            bootstrap, see `bootstrap.py`
    minimum, maximum, count     none: they say what happened in this stage, and that is exact

Each limit is one-sided: the truth is above `high` (or below `low`) in at most 5 % of stages. So 59 utterances in time
prove a p95, and 299 without an error an error rate below 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

from stt_load.metrics.bootstrap import MIN_CLUSTERS, RISK, mean_limits
from stt_load.metrics.quantiles import Distribution, binomial_cdf, percentile, smallest_n

_MOST_NEEDED = 1_000_000
_Z = NormalDist().inv_cdf(1 - RISK)


class Estimate(Protocol):
    """A figure with its limits. None: nothing was measured, or n does not bound it on that side.

    `n`: utterances behind it; None for a count. `compares`: those of this stage and of the first one.
    """

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def n(self) -> int | None: ...
    @property
    def compares(self) -> bool: ...

    def needed(self, bound: float, is_met_by: Callable[[float], bool]) -> int | None:
        """About how many utterances would decide the bound, if they are like those measured; None if none would."""


@dataclass(frozen=True, slots=True)
class Exact:
    """What happened in this stage: a count, a minimum, a maximum. It has no limits, since nothing is estimated."""

    value: float
    n: int | None = None
    compares: bool = False

    @property
    def low(self) -> float:
        return self.value

    @property
    def high(self) -> float:
        return self.value

    def needed(self, bound: float, is_met_by: Callable[[float], bool]) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile by nearest rank. `values`: those of failed utterances, infinite, are among them."""

    values: Distribution
    p: float
    compares: bool = False

    @property
    def value(self) -> float | None:
        return self.values.at(self.p)

    @property
    def low(self) -> float | None:
        return self.values.limits(self.p)[0]

    @property
    def high(self) -> float | None:
        return self.values.limits(self.p)[1]

    @property
    def n(self) -> int:
        return self.values.n

    def needed(self, bound: float, is_met_by: Callable[[float], bool]) -> int | None:
        late = sum(not is_met_by(value) for value in self.values.values)
        return needed_for_share(late, self.n, 1 - self.p)


@dataclass(frozen=True, slots=True)
class Share:
    """How many utterances of all had something, such as an error: a ratio."""

    part: int
    n: int
    compares: bool = False

    @property
    def value(self) -> float | None:
        return self.part / self.n if self.n else None

    @property
    def low(self) -> float | None:
        """The share with which this many or more come up in 5 % of cases."""
        if not self.n:
            return None
        return _root(lambda p: 1 - binomial_cdf(self.part - 1, self.n, p) <= RISK) if self.part else 0.0

    @property
    def high(self) -> float | None:
        """The share with which this few or fewer come up in 5 % of cases."""
        if not self.n:
            return None
        return _root(lambda p: binomial_cdf(self.part, self.n, p) > RISK) if self.part < self.n else 1.0

    def needed(self, bound: float, is_met_by: Callable[[float], bool]) -> int | None:
        return needed_for_share(self.part, self.n, bound)


@dataclass(frozen=True, slots=True)
class Resampled:
    """A rate or a mean with the limits of a bootstrap.

    `is_rate`: of errors, of which one more utterance could be wholly made.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    is_rate: bool = True
    compares: bool = False

    def needed(self, bound: float, is_met_by: Callable[[float], bool]) -> int | None:
        distance = abs(bound - self.value)
        if not distance:
            return None
        end = self.high if is_met_by(self.value) else self.low
        unseen = 3 / distance if self.is_rate else MIN_CLUSTERS  # the rule of three
        scatter = 0.0 if end is None else self.n * ((end - self.value) / distance) ** 2
        return _rounded_up(max(unseen, scatter, MIN_CLUSTERS, self.n + 1))


def of_distribution(values: Distribution, statistic: str, without: int = 0) -> Estimate | None:
    """The estimate of a statistic of raw values; None without any.

    `without`: utterances that failed before they had a value. For a percentile each of them is later than any bound,
    so that a server can't look fast by dropping the slow ones. Raises ValueError for what is no statistic.
    """
    p = percentile(statistic)
    if p is not None:
        with_failed = values.with_infinite(without)
        return Percentile(with_failed, p) if with_failed.n else None
    value = values.statistic(statistic)
    if value is None:
        return None
    if statistic == "mean":
        return Resampled(value, *mean_limits(values.values), values.n, is_rate=False)
    return Exact(value, values.n)


def needed_for_share(part: int, n: int, allowed: float) -> int | None:
    """About how many utterances decide whether no more than `allowed` of all have something that `part` of n have."""
    if not 0 < allowed < 1 or not n:
        return None
    distance = abs(part / n - allowed)
    if not distance:
        return None
    none_at_all = smallest_n(1 - allowed)
    if not part:
        return none_at_all
    return _rounded_up(max(_Z**2 * allowed * (1 - allowed) / distance**2, none_at_all, n + 1))


def _rounded_up(n: float) -> int | None:
    """The number in two digits: more would be false precision. None where nobody would wait for so many."""
    if n > _MOST_NEEDED:
        return None
    step: int = 10 ** max(0, math.floor(math.log10(n)) - 1)
    return math.ceil(n / step) * step


def _root(is_below: Callable[[float], bool]) -> float:
    """The share at which `is_below` turns from true to false, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2

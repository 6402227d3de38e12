"""A server whose capacity is known, in virtual time: the latency of an utterance is a function of the callers and of
chance, all of it seeded.

    latency = median(callers · e^(t · trial)) · e^(c · caller) · e^(s · noise)    trial, caller, noise: standard normal

`trial` is drawn once a trial, since all its utterances share the queue and the state of the server; `caller` once a
caller; `noise` for each utterance. So a trial is like one with 3 % more or fewer callers than there are. One utterance
in a hundred is late however few callers there are.

The truth is the largest number of callers at which, and below which, the share of late utterances in the median trial
(`trial` = 0) is within the allowed share. It is what a majority of trials can find.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from stt_load.capacity.search import CapacitySearch
from stt_load.capacity.sequential import LateShareTest
from stt_load.capacity.trial import CallerCounts, Trial, TrialObjective, TrialResult, misses
from stt_load.metrics.estimates import of_distribution
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import judge, parse_slo

P95 = parse_slo("eos_latency:p95<1s")
ALLOWED = 0.05
UTTERANCES_PER_CALLER = 5  # a hold of 30 s

_NOISE, _CALLER, _TRIAL = 0.30, 0.10, 0.03
_ALWAYS_LATE = 0.01
_SPREAD = math.hypot(_NOISE, _CALLER)
_LATE_BY_LOAD = (ALLOWED - _ALWAYS_LATE) / (1 - _ALWAYS_LATE)
_AT_EDGE_S = math.exp(NormalDist().inv_cdf(_LATE_BY_LOAD) * _SPREAD)  # the median at which 5 % are later than 1 s

Median = Callable[[float], float]


@dataclass(frozen=True)
class KnownServer:
    """`median`: callers, of which a part may be missing, to the median latency in seconds. `trial`: `t` above."""

    name: str
    median: Median
    trial: float = _TRIAL

    @property
    def truth(self) -> int:
        """The largest number of callers that it holds."""
        return next(users for users in range(1_000) if self.share(users + 1) > ALLOWED)

    def share(self, users: float) -> float:
        """The share of late utterances in the median trial."""
        return _ALWAYS_LATE + (1 - _ALWAYS_LATE) * NormalDist().cdf(math.log(self.median(users)) / _SPREAD)

    def play(self, users: int, rng: np.random.Generator, ends_early: bool = False) -> Trial:
        """One trial, as a report would judge it. `ends_early`: as soon as the objective is missed for certain."""
        median = self.median(users * math.exp(self.trial * rng.standard_normal()))
        shape = (UTTERANCES_PER_CALLER, users)  # in rounds, as they end
        scatter = _CALLER * rng.standard_normal((1, users)) + _NOISE * rng.standard_normal(shape)
        latencies_s = np.where(rng.random(shape) < _ALWAYS_LATE, 3.0, median * np.exp(scatter)).ravel()
        breached_after = _breached_after(latencies_s >= 1) if ends_early else None
        latencies_s = latencies_s[:breached_after]
        result = judge(P95, of_distribution(Distribution.of(latencies_s), "p95"))
        is_met = breached_after is None and not misses(result)
        caller = np.arange(len(latencies_s)) % users
        counts = CallerCounts(
            np.bincount(caller, latencies_s >= 1, users), np.bincount(caller, minlength=users).astype(float)
        )
        objective = TrialObjective(P95, is_met, counts)
        return Trial(users, TrialResult.PASS if is_met else TrialResult.FAIL, (objective,))

    def searched(self, seed: int, ends_early: bool = False) -> CapacitySearch:
        """A whole search from 1 to at most 500 callers, within 5 %."""
        rng, search = np.random.default_rng(seed), CapacitySearch(1, 500)
        while (users := search.next_users) is not None:
            search.record(self.play(users, rng, ends_early))
        return search


def _breached_after(late: np.ndarray) -> int | None:
    """After how many utterances it is certain that too many are late; None if it never is."""
    test = LateShareTest(ALLOWED)
    for n, is_late in enumerate(late.tolist(), start=1):
        test.add(int(is_late), 1)
        if test.is_breached:
            return n
    return None


def slope(edge: float) -> KnownServer:
    """The latency grows with the square of the callers; at `edge` callers exactly 5 % are late."""
    return KnownServer(f"a slope at {edge}", lambda users: _AT_EDGE_S * (users / edge) ** 2)


def queue(edge: float) -> KnownServer:
    """The latency grows like 1 / (1 − load), with a load of 0.8 at `edge` callers."""
    return KnownServer(f"a queue at {edge}", lambda users: _AT_EDGE_S * 0.2 / max(0.02, 1 - 0.8 * users / edge))


def cliff(edge: float) -> KnownServer:
    """Up to `edge` callers nobody is late; above it everybody is."""
    return KnownServer(f"a cliff at {edge}", lambda users: 0.2 if users <= edge else 8.0)

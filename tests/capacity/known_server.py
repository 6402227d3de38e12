"""A server whose capacity is known, in virtual time: the latency of an utterance is a function of the callers and of
chance, all of it seeded.

    latency = median(callers · e^(t · trial)) · e^(c · caller) · e^(s · noise)    trial, caller, noise: standard normal

`trial` is drawn once a trial, since all its utterances share the queue and the state of the server; `caller` once a
caller; `noise` for each utterance. So a trial is like one with 3 % more or fewer callers than there are.

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
from stt_load.capacity.trial import CallerCounts, Trial, TrialObjective, TrialResult
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import parse_slo

P95 = parse_slo("eos_latency:p95<1s")
ALLOWED = 0.05
UTTERANCES_PER_CALLER = 5  # a hold of 30 s
AT_LEAST = 60  # utterances a trial

_NOISE, _CALLER, _TRIAL = 0.30, 0.10, 0.03
_SPREAD = math.hypot(_NOISE, _CALLER)
_AT_EDGE_S = math.exp(-NormalDist().inv_cdf(1 - ALLOWED) * _SPREAD)  # the median at which 5 % are later than 1 s

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
        return NormalDist().cdf(math.log(self.median(users)) / _SPREAD)

    def play(self, users: int, rng: np.random.Generator, ends_early: bool = False) -> Trial:
        """One trial, as a report would judge it. `ends_early`: as soon as the objective is missed for certain."""
        median = self.median(users * math.exp(self.trial * rng.standard_normal()))
        each = max(UTTERANCES_PER_CALLER, math.ceil(AT_LEAST / users))
        scatter = _CALLER * rng.standard_normal((users, 1)) + _NOISE * rng.standard_normal((users, each))
        latencies_s = (median * np.exp(scatter)).T.ravel()  # in rounds, as they end
        caller = np.tile(np.arange(users), each)
        n = (ends_early and _breached_after(latencies_s >= 1)) or len(caller)
        late = np.bincount(caller[:n], latencies_s[:n] >= 1, users)
        p95 = Distribution.of(latencies_s[:n]).at(0.95)
        assert p95 is not None
        is_met = n == len(caller) and P95.is_met_by(p95)
        counts = CallerCounts(late, np.bincount(caller[:n], minlength=users).astype(float))
        result = TrialResult.PASS if is_met else TrialResult.FAIL
        return Trial(users, result, (TrialObjective(P95, is_met, counts),))

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

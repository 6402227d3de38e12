"""The interval of the answer: how far the edge moves when trials and callers are drawn again.

    one resample                 for each number of callers, its trials, with replacement; in each trial its callers,
                                 with all their utterances, with replacement
    edge of a resample           the isotonic fit of each objective crosses its allowed share between two numbers of
                                 callers that were tried, `a` and `b`: the server holds at least a and less than b
    95 % interval                from the 2.5th percentile of a to the 97.5th of b − 1

Nothing is interpolated between two numbers of callers: nothing was measured there.

What is drawn is what was independent. Utterances are not: those of a trial share one queue and one state of the
server, and those of a caller its clips and its connection. So trials are drawn, and callers in them (a cluster
bootstrap; Davison & Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). Of k trials k − 1 are drawn,
which makes the scatter of the mean what it is (McCarthy & Snowden 1985); k of them would show (k − 1) / k of its
variance, two thirds for three trials. A number of callers that was tried once keeps its trial: how much trials differ
is seen at the edge alone.

The binomial interval beside it draws the utterances of each number of callers independently. It is what a tool that
looks at counts alone would print, and it is too narrow: it has not heard of queues and of trials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stt_load.capacity.isotonic import Floats, levels_within
from stt_load.capacity.share_table import Level, ShareTable

_RISK = 0.05  # of both ends together
_RESAMPLES = 1_000
_MAX_CLUSTERS = 200  # more callers are dealt into so many groups, which vary as much
_SEED = 1

Sums = tuple[Floats, Floats]
"""Parts and wholes, each of shape (resamples, objectives)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers of callers, both ends included. `high` None: nothing that was tried bounds it."""

    low: int
    high: int | None

    def including(self, users: int) -> Interval:
        """The smallest interval that holds this one and a number of callers."""
        return Interval(min(self.low, users), None if self.high is None else max(self.high, users))


def capacity_interval(table: ShareTable) -> Interval | None:
    """The 95 % interval by drawing trials and callers again; None without anything to draw from."""
    if not len(table.allowed) or not table.levels:
        return None
    rng = np.random.default_rng(_SEED)
    levels = [_level_drawn(level, rng) for level in table.levels]
    parts, wholes = (np.stack([sums[of] for sums in levels], axis=-1) for of in (0, 1))
    return _interval(table, parts, wholes)


def binomial_interval(table: ShareTable) -> Interval | None:
    """The 95 % interval with every utterance on its own; None where no objective counts utterances."""
    if not table.counts_utterances.any() or not table.levels:
        return None
    rng = np.random.default_rng(_SEED)
    parts, wholes = table.parts.T, table.wholes.T  # of shape (objectives, levels)
    drawn = np.broadcast_to(parts, (_RESAMPLES, *parts.shape)).copy()
    counted, n = table.counts_utterances, np.rint(wholes).astype(np.int64)
    drawn[:, counted] = rng.binomial(n[counted], _share(parts, wholes)[counted], drawn[:, counted].shape)
    return _interval(table, drawn, np.broadcast_to(wholes, drawn.shape))


def _interval(table: ShareTable, parts: Floats, wholes: Floats) -> Interval:
    """The interval from resampled sums, each of shape (resamples, objectives, levels)."""
    # What breaks first is the limit, whichever objective it is.
    within = levels_within(parts, wholes, table.allowed).min(axis=-1)
    holds = np.concatenate([[0], table.users])[within]
    breaks = np.concatenate([table.users.astype(np.float64), [np.inf]])[within]
    low = np.quantile(holds, _RISK / 2, method="inverted_cdf")
    high = np.quantile(breaks, 1 - _RISK / 2, method="inverted_cdf") - 1
    return Interval(int(low), int(high) if np.isfinite(high) else None)


def _level_drawn(level: Level, rng: np.random.Generator) -> Sums:
    """The sums of one number of callers with all but one of its trials drawn; they weigh as much as all."""
    k = len(level.trials)
    drawn = [_callers_drawn(*sums, rng) for sums in level.trials]
    if k == 1:
        return drawn[0]
    chosen, rows = rng.integers(0, k, (k - 1, _RESAMPLES)), np.arange(_RESAMPLES)
    parts, wholes = (np.stack([sums[of] for sums in drawn])[chosen, rows].sum(axis=0) * k / (k - 1) for of in (0, 1))
    return parts, wholes


def _callers_drawn(parts: Floats, wholes: Floats, rng: np.random.Generator) -> Sums:
    """The sums of one trial with its callers drawn again."""
    places = rng.permutation(len(parts)) % _MAX_CLUSTERS
    parts, wholes = _dealt(parts, places), _dealt(wholes, places)
    callers = len(parts)
    drawn = rng.integers(0, callers, (_RESAMPLES, callers), dtype=np.int32)
    cells = drawn + np.arange(_RESAMPLES, dtype=np.int64)[:, np.newaxis] * callers
    times = np.bincount(cells.ravel(), minlength=cells.size).reshape(cells.shape).astype(np.float64)
    return times @ parts, times @ wholes


def _dealt(sums: Floats, places: NDArray[np.int64]) -> Floats:
    """The same sums in groups of callers, of shape (groups, objectives)."""
    dealt = np.zeros((int(places.max()) + 1, sums.shape[1]))
    np.add.at(dealt, places, sums)
    return dealt


def _share(parts: Floats, wholes: Floats) -> Floats:
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)

"""How far a figure of one stage strays by itself: its standard error, from the utterances of that stage.

Utterances are no independent draws. Those of one caller share a connection, and those of one moment share a queue, so
that a hundred utterances may say no more than ten. Three bootstraps draw clusters of them, with replacement:

    callers      a caller with all its utterances          where there are MIN_CALLERS or more
    slices       what began in one of SLICES of the hold   where there are two utterances a slice or more
    utterances   each by itself

    s² = s² of callers + s² of slices - s² of utterances,   and at least the largest of the three

which is the sum of what callers add, what waves of load add and what is left (Cameron, Gelbach & Miller 2011, "Robust
inference with multiway clustering"). It does not see what differs between two runs of the same server: a restart, a
warm cache, a neighbour on the same machine. Only repeats of the run do.

The same utterances give the same error: the generator has a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stt_load.metrics.quantiles import percentile
from stt_load.metrics.student_t import LIKE_NORMAL

MIN_CALLERS = 5
SLICES = 6

_RESAMPLES = 400  # the error of a standard error from so many is 3.5 %
_SEED = 1
_MAX_CLUSTERS = 200  # more of them are dealt into so many groups, which vary as much
_MAX_BINS = 2_000  # more values are looked at in steps of 0.05 percent points

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StandardError:
    """A standard error in the unit of its figure, and the degrees of freedom that it was estimated with."""

    value: float
    degrees: int


@dataclass(frozen=True, slots=True)
class StageSample:
    """One value for each utterance of a stage. All three of shape (n,).

    `values`: infinite for an utterance that failed before it had one. `callers`: a number for each caller. `began_s`:
    when the utterance began, on any one clock.
    """

    values: Floats
    callers: NDArray[np.int64]
    began_s: Floats


def standard_errors(sample: StageSample, statistics: Sequence[str]) -> dict[str, StandardError | None]:
    """The standard error of each statistic (`mean` or `pNN`); None where the sample doesn't tell it: there are too few
    utterances, or it falls on failed ones in some resamples. A mean leaves failed ones out."""
    n = len(sample.values)
    if n < MIN_CALLERS:
        return dict.fromkeys(statistics)
    by_utterance = _errors(sample.values, np.arange(n), statistics)
    by_cluster = [_errors(sample.values, clusters, statistics) for clusters in _clusterings(sample)]
    return {
        statistic: _together(by_utterance[statistic], [e[statistic] for e in by_cluster]) for statistic in statistics
    }


def _together(alone: StandardError, clustered: Sequence[StandardError]) -> StandardError | None:
    """One error of those of several bootstraps, with the degrees of freedom of the clusters that give the fewest: an
    error from six slices is as rough as six numbers are."""
    errors = [alone, *clustered]
    if not all(np.isfinite(error.value) for error in errors):
        return None
    largest = max(error.value for error in errors)
    squares = sum(error.value**2 for error in clustered) - (len(clustered) - 1) * alone.value**2
    return StandardError(max(squares, largest**2) ** 0.5, min(error.degrees for error in errors))


def share_error(sample: StageSample) -> StandardError | None:
    """The standard error of a share. `values`: 1 for an utterance that has it, 0 for one that has not.

    A bootstrap can't draw what was not seen, so the error is at least that of independent utterances.
    """
    n = len(sample.values)
    if not n:
        return None
    binomial = binomial_error(float(sample.values.sum()), n)
    drawn = standard_errors(sample, ["mean"])["mean"]
    return binomial if drawn is None or drawn.value < binomial.value else drawn


def binomial_error(part: float, n: float) -> StandardError:
    """The standard error of a share of `part` among `n` independent ones, with one success and one failure added
    (Agresti & Caffo 2000, "Simple and effective confidence intervals for proportions and differences")."""
    share = (part + 1) / (n + 2)
    return StandardError((share * (1 - share) / (n + 2)) ** 0.5, LIKE_NORMAL)


def _clusterings(sample: StageSample) -> list[NDArray[np.int64]]:
    """The cluster of each utterance, for each way to draw clusters that this sample allows."""
    ways = []
    if len(np.unique(sample.callers)) >= MIN_CALLERS:
        ways.append(sample.callers)
    if len(sample.values) >= 2 * SLICES:
        began_s = sample.began_s - sample.began_s.min()
        slices = np.minimum(SLICES * began_s / (began_s.max() or 1.0), SLICES - 1).astype(np.int64)
        if len(np.unique(slices)) >= MIN_CALLERS:
            ways.append(slices)
    return ways


def _errors(values: Floats, labels: NDArray[np.int64], statistics: Sequence[str]) -> dict[str, StandardError]:
    """The standard error of each statistic when what shares a label is drawn together; infinite or NaN where that of
    some resample is."""
    clusters = np.unique(labels, return_inverse=True)[1]
    k = int(clusters.max()) + 1
    if k > _MAX_CLUSTERS:
        clusters = (np.random.default_rng(_SEED).permutation(k) % _MAX_CLUSTERS)[clusters]
    dealt = min(k, _MAX_CLUSTERS)
    small = (dealt / (dealt - 1)) ** 0.5  # k clusters vary less around their own mean than around the truth
    with np.errstate(invalid="ignore"):
        return {
            statistic: StandardError(small * float(draws.std(ddof=1)), dealt - 1)
            for statistic, draws in _drawn(values, clusters, statistics).items()
        }


def _drawn(values: Floats, clusters: NDArray[np.int64], statistics: Sequence[str]) -> dict[str, Floats]:
    """Each statistic of all resamples, of shape (_RESAMPLES,)."""
    k, n = int(clusters.max()) + 1, len(values)
    rng = np.random.default_rng(_SEED)
    times = rng.multinomial(k, np.full(k, 1 / k), size=_RESAMPLES).astype(np.float64)  # each cluster was drawn
    order = np.argsort(values, kind="stable")
    ascending, of_cluster = values[order], clusters[order]
    if n <= _MAX_BINS:
        weights = times[:, of_cluster]
    else:
        bins = np.arange(n) * _MAX_BINS // n
        counts = np.zeros((k, _MAX_BINS))
        np.add.at(counts, (of_cluster, bins), 1.0)
        weights = times @ counts
        ascending = ascending[np.searchsorted(bins, np.arange(_MAX_BINS), side="right") - 1]  # the last of each bin
    below = np.cumsum(weights, axis=1)
    drawn = {}
    for statistic in statistics:
        p = percentile(statistic)
        if p is None:
            finite = np.isfinite(values)
            sums = np.bincount(clusters[finite], values[finite], minlength=k)
            n_finite = np.bincount(clusters[finite], minlength=k)
            with np.errstate(invalid="ignore"):
                drawn[statistic] = (times @ sums) / (times @ n_finite)
        else:
            rank = np.ceil(np.round(p * below[:, -1], 9))
            at = (below < rank[:, None]).sum(axis=1)
            drawn[statistic] = ascending[at]
    return drawn

"""Limits of rates and means by the bootstrap: the sample is drawn again and again from itself, with replacement.

    rate of a sample            sum of parts / sum of wholes          word errors / reference words
    one of 2,000 resamples      k of the k clusters, drawn with replacement, and their rate
    one-sided limit at 95 %     the 5th or 95th percentile of these rates, farther out for small k

A *cluster* is what was drawn independently: a clip with all its utterances for error rates (Bisani & Ney 2004,
"Bootstrap estimates for confidence intervals in ASR performance evaluation"; one hard clip spoken ten times is one
piece of evidence), an utterance for a mean. Between two stages the clips are paired: a clip is drawn with its errors on
both sides, so that hard clips cancel out.

Two corrections, both for small samples; a limit is the farther of the two:

- The percentiles are expanded from the normal distribution's to those of Student's t with k − 1 degrees of freedom
  (Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3).
- A bootstrap can't draw what was not seen, and ten perfect transcripts would prove a WER of 0. So a limit is taken with
  one more utterance, the worst (or best) that there can be. It comes up three times in one resample of twelve: the rule
  of three, by which none in n proves less than 3 / n.

The same samples give the same limits: the generator has a fixed seed.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stt_load.metrics.student_t import student_t

MIN_CLUSTERS = 5
"""Fewer clusters bound nothing: of five differences, none of the wrong sign is what chance does in 1 of 32 cases."""

RISK = 0.05
"""How often a one-sided limit may be on the wrong side of the truth. Both ends of a 95 % interval risk half of it."""

_RESAMPLES = 2_000
_SEED = 1
_MAX_CLUSTERS = 1_000

Limits = tuple[float | None, float | None]
"""The lower and the upper limit; None for one that so few clusters don't bound."""

Cluster = tuple[float, float]
"""Part and whole of one more cluster."""


def rate_limits(
    parts: ArrayLike,
    wholes: ArrayLike,
    best: Cluster | None = None,
    worst: Cluster | None = None,
    risk: float = RISK,
) -> Limits:
    """One-sided limits of `sum(parts) / sum(wholes)`, each wrong with probability `risk`.

    `parts`, `wholes`: one number a cluster, float64 of shape (k,). `best`, `worst`: what could be seen at the best and
    at the worst and perhaps was not: the lower limit is taken with `best` as one more cluster, the upper with `worst`.
    """
    part, whole = (np.asarray(values, np.float64) for values in (parts, wholes))
    if len(part) < MIN_CLUSTERS or not whole.sum() > 0:
        return None, None
    part, whole = _dealt(part, whole)
    seen, expanded = _resampled(part, whole), _expanded(risk, len(part))
    lower, upper = _quantile(seen, expanded), _quantile(seen, 1 - expanded)
    if best is not None:
        lower = min(lower, _quantile(_resampled(part, whole, best), risk))
    if worst is not None:
        upper = max(upper, _quantile(_resampled(part, whole, worst), 1 - risk))
    return lower, upper


def error_rate_limits(errors: ArrayLike, lengths: ArrayLike, utterances: ArrayLike, risk: float = RISK) -> Limits:
    """One-sided limits of WER or CER: errors over lengths, each summed over all clips.

    `errors`, `lengths`, `utterances`: one number a clip, summed over its utterances; of shape (k,). What perhaps was
    not seen is one more utterance of mean length, without an error or with nothing right.
    """
    length, n = np.asarray(lengths, np.float64).sum(), np.asarray(utterances, np.float64).sum()
    mean = float(length / n) if n else 0.0
    return rate_limits(errors, lengths, best=(0.0, mean), worst=(mean, mean), risk=risk)


def mean_limits(values: ArrayLike) -> Limits:
    """One-sided limits of a mean. `values`: of shape (n,). One more value may be as low, or as high, as any seen."""
    sample = np.asarray(values, np.float64)
    if not len(sample):
        return None, None
    best, worst = float(sample.min()), float(sample.max())
    return rate_limits(sample, np.ones_like(sample), (best, 1.0), (worst, 1.0))


def paired_limits(here: ArrayLike, first: ArrayLike, lengths: ArrayLike, utterances: float) -> Limits:
    """One-sided limits of an error rate here minus the same on the first stage, over clips that both completed.

    `here`, `first`: errors of the mean utterance of each clip. `lengths`: reference words of the clip. All of shape
    (k,). `utterances`: how many there were here; one more, with nothing right, may not have been seen.
    """
    extra, length = np.asarray(here, np.float64) - np.asarray(first, np.float64), np.asarray(lengths, np.float64)
    unseen = float(length.sum() / utterances) if utterances else 0.0  # a clip weighs as much as its mean utterance
    return rate_limits(extra, length, worst=(unseen, unseen))


def _dealt(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same sums in at most `_MAX_CLUSTERS` clusters, dealt at random: as variable, and a million cost no more."""
    if len(parts) <= _MAX_CLUSTERS:
        return parts, wholes
    places = np.random.default_rng(_SEED).permutation(len(parts)) % _MAX_CLUSTERS
    # The stubs of numpy know only the counts that bincount gives without weights.
    dealt = (np.bincount(places, weights, _MAX_CLUSTERS) for weights in (parts, wholes))
    dealt_parts, dealt_wholes = (np.asarray(sums, np.float64) for sums in dealt)
    return dealt_parts, dealt_wholes


def _resampled(
    parts: NDArray[np.float64], wholes: NDArray[np.float64], one_more: Cluster | None = None
) -> NDArray[np.float64]:
    """The rates of all resamples, of shape (_RESAMPLES,)."""
    if one_more is not None:
        parts, wholes = np.append(parts, one_more[0]), np.append(wholes, one_more[1])
    drawn = np.random.default_rng(_SEED).integers(0, len(parts), (_RESAMPLES, len(parts)), dtype=np.int32)
    totals = wholes[drawn].sum(axis=1)
    # A resample of nothing but empty references has no rate.
    rates: NDArray[np.float64] = parts[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    return rates


def _quantile(rates: NDArray[np.float64], share: float) -> float:
    return float(np.quantile(rates, share, method="inverted_cdf"))


def _expanded(risk: float, k: int) -> float:
    """The share of resamples to leave out at one end, so that small samples risk no more than `risk`."""
    return NormalDist().cdf(-math.sqrt(k / (k - 1)) * student_t(1 - risk, k - 1))

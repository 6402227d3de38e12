"""One trial of a search: how many callers there were, whether the server held them, and the counts behind that.

A trial is a stage of the run. What an objective's *share* is, depends on its figure (`allowed_share`):

    figure and statistic          parts                                   wholes                     allowed share
    percentile pNN below b        utterances not below b, failed ones     utterances that ended      1 − NN %
                                  too where only completed ones count
    error_rate below b            failed utterances                       utterances that ended      b
    wer, wer_all, cer below b     errors                                  words (letters) of the     b
                                                                          reference
    mean below b                  seconds                                 utterances                 b
    wer_delta, max, min, counts   none: the trial met the objective or didn't, and that is one part of one whole;
                                  allowed are half of the trials

Parts and wholes are kept by caller, so that callers can be drawn again as wholes: utterances of one caller are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stt_load.metrics.slo import Slo, SloResult, SloVerdict

Counts = NDArray[np.float64]
"""One number a caller, of shape (callers,)."""


class TrialResult(StrEnum):
    """What one trial says. It fails where it misses any objective (`misses`); INVALID is what can't be believed. That
    too few utterances were measured is no reason to be invalid: the repeats at the edge are there to decide."""

    PASS = "pass"
    FAIL = "fail"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, eq=False)
class CallerCounts:
    """Parts and wholes of one objective in one trial, by caller; see the table above.

    All objectives of a trial have the same callers in the same order; one without a whole has zeros.

    `failed`: how many of the parts are late because the utterance failed before it had a latency.
    """

    parts: Counts
    wholes: Counts
    failed: float = 0.0

    @property
    def share(self) -> float | None:
        """All parts over all wholes; None where nothing was counted."""
        whole = float(self.wholes.sum())
        return float(self.parts.sum()) / whole if whole else None


@dataclass(frozen=True, slots=True, eq=False)
class TrialObjective:
    """One objective in one trial. `is_met`: the trial does not miss it. `counts`: None where there is no share (see the
    table above), or where nothing was counted."""

    slo: Slo
    is_met: bool
    counts: CallerCounts | None = None

    @classmethod
    def of(cls, result: SloResult, counts: CallerCounts | None) -> TrialObjective:
        """The objective as the report of the stage has judged it."""
        return cls(result.slo, not misses(result), counts)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One trial. `users`: the number of callers, at least 1. `objectives`: the same ones, in the same order, in every
    trial of a search; those of an invalid trial are not looked at."""

    users: int
    result: TrialResult
    objectives: tuple[TrialObjective, ...] = ()


_OF_UTTERANCES = frozenset({"error_rate", "cut_early_rate", "split_rate", "eager_end_rate"})
_RATES = _OF_UTTERANCES | {"wer", "wer_all", "cer"}


def allowed_share(slo: Slo) -> float | None:
    """The largest share that meets the objective; None for an objective that has no share of its own.

    A rate or a mean that is exactly its bound counts as within it here, strict or not: that is one value of very many.
    """
    p = slo.percentile
    if p is not None:
        return round(1 - p, 12)
    if slo.statistic == "mean" or slo.figure.name in _RATES:
        return slo.bound
    return None


def counts_utterances(slo: Slo) -> bool:
    """Parts and wholes of the objective are utterances."""
    return slo.percentile is not None or slo.figure.name in _OF_UTTERANCES


def misses(result: SloResult) -> bool:
    """Whether a trial with this result misses the objective.

    What was measured decides, proven or not, as soon as the objective allows one utterance of them to be late (20 of
    them under a p95). To ask for proof would let servers pass that are a little too slow; not to ask for it with fewer
    utterances would make one late utterance of a lonely caller fail a server that is fine. Where no share of utterances
    is counted (WER, a mean), only what is proven is missed: how far such a figure strays depends on its clips.
    """
    if result.verdict is SloVerdict.MISSED:
        return True
    share = allowed_share(result.slo) if counts_utterances(result.slo) else None
    return share is not None and result.is_open and (result.n or 0) * share >= 1

"""One trial of a search: how many callers there were, whether the server held them, and the counts behind that.

A trial is a stage of the run. What an objective's *share* is, depends on its figure (`share_of`):

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

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from stt_load.metrics.slo import Slo, SloResult, SloVerdict

Counts = NDArray[np.float64]
"""One number a caller, of shape (callers,)."""


class TrialResult(StrEnum):
    """What one trial says.

    A trial fails where `TrialObjective.is_met` is false for any objective, proven or not: proof comes from the repeats
    at the edge. So a stage whose only fault is that too few utterances decide passes or fails like any other; INVALID
    is only what can't be believed.
    """

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
    """One objective in one trial. `is_met`: nothing that was measured speaks against it. `counts`: None where there is
    no share (see the table above), or where nothing was counted."""

    slo: Slo
    is_met: bool
    counts: CallerCounts | None = None

    @classmethod
    def of(cls, result: SloResult, counts: CallerCounts | None) -> TrialObjective:
        """The objective as the report of the stage has judged it."""
        return cls(result.slo, result.verdict is not SloVerdict.MISSED and not result.is_open, counts)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One trial. `users`: the number of callers, at least 1. `objectives`: the same ones, in the same order, in every
    trial of a search; those of an invalid trial are not looked at."""

    users: int
    result: TrialResult
    objectives: tuple[TrialObjective, ...] = ()


_RATES = frozenset({"error_rate", "wer", "wer_all", "cer"})


def allowed_share(slo: Slo) -> float | None:
    """The largest share that meets the objective; None for an objective that has no share of its own."""
    p = slo.percentile
    if p is not None:
        return 1 - p
    if slo.statistic == "mean" or slo.figure.name in _RATES:
        # A strict bound is met by the next number below it.
        return math.nextafter(slo.bound, -math.inf) if slo.is_strict else slo.bound
    return None


def counts_utterances(slo: Slo) -> bool:
    """Parts and wholes of the objective are utterances."""
    return slo.percentile is not None or slo.figure.name == "error_rate"

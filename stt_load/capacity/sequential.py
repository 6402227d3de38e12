"""A test that may be looked at after every utterance: is the share of late ones above what the objective allows?

    evidence E = ∫ (p / p0)^s · ((1 − p) / (1 − p0))^(n − s) dπ(p)      s late ones of n, allowed share p0
    π: Beta(1, b) cut off below p0, with a mean of about three times p0
    breached as soon as E ≥ 1 / risk

For each p above p0 the product is a supermartingale as long as every utterance is late with a probability of at most
p0, whatever came before; so the mixture E is one too, and by Ville's inequality it ever reaches 1 / risk with a
probability of at most `risk`, in a trial of any length (Robbins 1970, "Statistical methods related to the law of the
iterated logarithm"). With a beta distribution the integral has a closed form, a quotient of incomplete beta functions:
the one-sided beta-binomial mixture of Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Annals of Statistics 49(2). Looking again and again at an interval that is made for
one fixed n would find servers guilty that are not: its risk adds up from look to look.

What the test does not know: utterances of a stage share a queue. They need not be independent, but a server that stalls
for a moment is beyond its allowed share in that moment, though it may be within it over the whole trial. So a breach
says that the server was certainly beyond it for a while. A trial that is to outlast a stall has no such test.
"""

from __future__ import annotations

import math

from stt_load.metrics.quantiles import binomial_cdf

RISK = 0.01
"""How often a trial may be broken off whose share is exactly the allowed one. A search has about twenty trials."""

_PRIOR_LATE = 1
_TIMES_ALLOWED = 3


class LateShareTest:
    """Whether a share is certainly above the allowed one, from counts as they come.

    `allowed_share`: that of an objective for which `counts_utterances` is true. Once breached, it stays breached.
    """

    def __init__(self, allowed_share: float, risk: float = RISK) -> None:
        self._allowed_share = allowed_share
        self._needed = -math.log(risk)
        self._late = 0
        self._n = 0
        self.is_breached = False

    def add(self, late: int, n: int) -> None:
        """Adds n more utterances that have ended, `late` of which were late, or failed."""
        self._late += late
        self._n += n
        if self._late <= self._allowed_share * self._n:
            return  # every quotient in E is below 1 then
        if log_evidence(self._late, self._n, self._allowed_share) >= self._needed:
            self.is_breached = True


def log_evidence(late: int, n: int, allowed_share: float) -> float:
    """The natural logarithm of E; infinite as soon as one is late where none may be."""
    if allowed_share <= 0:
        return math.inf if late else 0.0
    if allowed_share >= 1:
        return 0.0
    in_time, prior_in_time = n - late, max(1, round(1 / (_TIMES_ALLOWED * allowed_share)))
    before = _log_beta_above(allowed_share, _PRIOR_LATE, prior_in_time)
    seen = _log_beta_above(allowed_share, _PRIOR_LATE + late, prior_in_time + in_time)
    return seen - before - late * math.log(allowed_share) - in_time * math.log1p(-allowed_share)


def _log_beta_above(share: float, a: int, b: int) -> float:
    """The logarithm of ∫ p^(a − 1) · (1 − p)^(b − 1) dp from `share` to 1, by the binomial tail that it is."""
    above = binomial_cdf(a - 1, a + b - 1, share)
    complete = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return complete + math.log(above) if above > 0 else -math.inf

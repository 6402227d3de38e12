"""A sequential test that may be looked at all the time: is the share of late utterances above what is allowed?"""

from __future__ import annotations

RISK = 0.01
"""How often a server whose true share is exactly the allowed one may be found guilty, over a trial of any length."""


class LateShareTest:
    """Whether a share is certainly above the allowed one, from counts as they come.

    `allowed_share`: `allowed_share(slo)` of a percentile or of `error_rate`. Looking after every utterance is fine.
    """

    def __init__(self, allowed_share: float, risk: float = RISK) -> None:
        self._allowed_share = allowed_share
        self._risk = risk
        self._late = 0
        self._n = 0

    def add(self, late: int, n: int) -> None:
        """Adds n more utterances that have ended, `late` of them beyond the bound (or failed)."""
        self._late += late
        self._n += n

    @property
    def is_breached(self) -> bool:
        """The true share is above the allowed one, with at most `risk` of error. Once true, it stays true."""
        raise NotImplementedError

"""What a run needs of the load generator that it goes on: who is there, how many callers, and how to tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stt_load.run.ledger import Ledger
from stt_load.run.stage_update import StageUpdate


class Cluster(Protocol):
    """The processes that play callers in one run: a master's workers, or a single process that is its own worker."""

    @property
    def scoring_share(self) -> float:
        """How much of its time this process may spend on scoring; rows beyond that are scored with the report."""
        ...

    @property
    def reached(self) -> int:
        """Callers that are there."""
        ...

    @property
    def target(self) -> int:
        """Callers that somebody has asked for."""
        ...

    def workers(self) -> Sequence[str]:
        """Client ids, in the order of their indexes."""
        ...

    def tell(self, update: StageUpdate) -> None:
        """Every worker hears of it, those that join later too."""
        ...

    def collect(self, ledger: Ledger) -> None:
        """Takes what has to be fetched. Workers in other processes report by themselves."""
        ...

    def drain(self, ledger: Ledger, is_cut: bool, limit_s: float) -> None:
        """No utterance begins any more; those in flight end within `limit_s` (`is_cut`: are cut now). Returns when
        every row is in the ledger, or when it is too late for that."""
        ...

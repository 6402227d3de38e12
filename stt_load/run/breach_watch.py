"""Whether it is certain already, in the middle of a hold, that a stage misses an objective.

The counts are looked at all the time. The limits of the report hold for one look at the end, and would be wrong far too
often here: `capacity/sequential.py` has a test that may be looked at whenever one likes. It takes utterances in the
order in which they began. In the order in which they end, the first ones would all be those that the server refused at
once, however few they are; so an utterance that goes on counts as one that is well, until it is known better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stt_load.capacity.caller_counts import Measure, measure_of
from stt_load.capacity.sequential import LateShareTest
from stt_load.capacity.trial import allowed_share, counts_utterances
from stt_load.errors import Outcome
from stt_load.metrics.slo import Slo
from stt_load.records import UtteranceRecord


@dataclass(slots=True)
class _WatchedObjective:
    """One objective in one stage. `beyond`: utterances beyond its bound."""

    slo: Slo
    measure: Measure
    allowed_share: float
    beyond: int = 0

    def add(self, record: UtteranceRecord) -> None:
        piece = self.measure(self.slo, record)
        self.beyond += 0 if piece is None else int(piece[0])

    def breach(self, begun: int) -> str | None:
        test = LateShareTest(self.allowed_share)
        test.add(self.beyond, begun)
        return (
            f"{self.beyond} of {begun} utterances are beyond the bound of {self.slo.text}" if test.is_breached else None
        )


class BreachWatch:
    """Watches the objectives of which every stage may miss a share of utterances: percentiles and the error rate."""

    def __init__(self, slos: Sequence[Slo]) -> None:
        self._watched = [
            (slo, measure_of(slo), share)
            for slo in slos
            if counts_utterances(slo) and (share := allowed_share(slo)) is not None
        ]
        self._stages: dict[int, list[_WatchedObjective]] = {}

    def add(self, record: UtteranceRecord) -> None:
        """Takes in a counted utterance that has ended."""
        if record.outcome != Outcome.INTERRUPTED:
            for objective in self._of(record.stage):
                objective.add(record)

    def breach(self, stage: int, begun: int) -> str | None:
        """Which objective this stage misses for certain, one clause; None while none is. `begun`: counted utterances
        that have begun in it."""
        return next(filter(None, (objective.breach(begun) for objective in self._of(stage))), None)

    def _of(self, stage: int) -> list[_WatchedObjective]:
        if stage not in self._stages:
            self._stages[stage] = [_WatchedObjective(*watched) for watched in self._watched]
        return self._stages[stage]

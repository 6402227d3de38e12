"""Whether it is certain already, in the middle of a hold, that a stage misses an objective.

The counts are looked at after every utterance. The limits of the report hold for one look at the end, and would be
wrong far too often here: `capacity/sequential.py` has a test that may be looked at all the time.
"""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.capacity.caller_counts import Measure, measure_of
from stt_load.capacity.sequential import LateShareTest
from stt_load.capacity.trial import allowed_share, counts_utterances
from stt_load.errors import Outcome
from stt_load.metrics.slo import Slo
from stt_load.records import UtteranceRecord


class _WatchedObjective:
    """One objective in one stage."""

    def __init__(self, slo: Slo, measure: Measure, share: float) -> None:
        self._slo = slo
        self._measure = measure
        self._test = LateShareTest(share)
        self._beyond = 0
        self._n = 0

    def add(self, record: UtteranceRecord) -> None:
        piece = self._measure(self._slo, record)
        if piece is not None:
            self._beyond += int(piece[0])
            self._n += 1
            self._test.add(int(piece[0]), 1)

    @property
    def breach(self) -> str | None:
        if not self._test.is_breached:
            return None
        return f"{self._beyond} of {self._n} utterances are beyond {self._slo.text}"


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

    def breach(self, stage: int) -> str | None:
        """Which objective this stage misses for certain, one clause; None while none is."""
        return next(filter(None, (objective.breach for objective in self._of(stage))), None)

    def _of(self, stage: int) -> list[_WatchedObjective]:
        if stage not in self._stages:
            self._stages[stage] = [_WatchedObjective(*watched) for watched in self._watched]
        return self._stages[stage]

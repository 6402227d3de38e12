"""Counts parts and wholes of objectives by caller, from the utterances of one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stt_load.capacity.trial import CallerCounts
from stt_load.metrics.slo import Slo
from stt_load.records import UtteranceRecord


class CallerTally:
    """The counts of one stage in the making, for these objectives. Add records as they come, then close once."""

    def __init__(self, slos: Sequence[Slo]) -> None:
        self._slos = tuple(slos)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances of the stage. Only those that started in the hold and were not interrupted count."""
        raise NotImplementedError

    def close(self) -> Mapping[str, CallerCounts]:
        """The counts by text of the objective; one without a share, or without any utterance, is not in it."""
        raise NotImplementedError

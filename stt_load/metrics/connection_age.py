"""Latency against the age of a connection, where one carries several utterances: does a session get slower?"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from stt_load.metrics.quantiles import Distribution
from stt_load.records import UtteranceRecord


@dataclass(frozen=True, slots=True)
class AgeFigures:
    """The completed utterances before which their connection had carried `carried` others.

    `age_s_mean`: mean seconds from the websocket upgrade to the start of the stream.
    """

    carried: int
    age_s_mean: float
    eos_latency: Distribution


@dataclass(slots=True)
class ConnectionAges:
    """Counted utterances by their place on the connection, in the making."""

    _places: dict[int, tuple[array[float], array[float]]] = field(default_factory=dict)  # ages and latencies, seconds

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        """Adds those that were counted and completed; the others change nothing."""
        for record in records:
            age_s, latency_s = record.connection_age_s, record.eos_latency_s
            if age_s is None or latency_s is None or not record.is_counted or not record.is_ok:
                continue
            place = self._places.get(record.connection_utterance)
            if place is None:
                place = self._places[record.connection_utterance] = (array("d"), array("d"))
            place[0].append(age_s)
            place[1].append(latency_s)

    def close(self) -> tuple[AgeFigures, ...]:
        """The figures place by place; empty where no connection carried a second utterance."""
        if not any(self._places):  # all are first utterances
            return ()
        return tuple(
            AgeFigures(carried, math.fsum(ages_s) / len(ages_s), Distribution.of(latencies_s))
            for carried, (ages_s, latencies_s) in sorted(self._places.items())
        )

"""Latency against the age of a connection, where one carries several utterances: does a session get slower?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stt_load.metrics.kept_values import KeptValues, LongSum
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.widening_bins import WideningBins
from stt_load.records import UtteranceRecord

_EXACT, _DIGITS = 5_000, 3  # latencies of one place that are kept one by one; of the others, to the millisecond


@dataclass(frozen=True, slots=True)
class AgeFigures:
    """The completed utterances before which their connection had carried `carried` others, or a few more where many
    places are taken together.

    `age_s_mean`: mean seconds from the websocket upgrade to the start of the stream.
    """

    carried: int
    age_s_mean: float
    eos_latency: Distribution


@dataclass(slots=True)
class _Place:
    ages_s: LongSum = field(default_factory=LongSum)
    latencies_s: KeptValues = field(default_factory=lambda: KeptValues(_EXACT, _DIGITS))

    def take(self, other: _Place) -> None:
        self.ages_s.extend((other.ages_s.total,))
        self.latencies_s.extend(other.latencies_s.close())


@dataclass(slots=True)
class ConnectionAges:
    """Counted utterances by their place on the connection, in the making. Where there are very many places, neighbours
    are taken together."""

    _places: WideningBins[_Place] = field(default_factory=lambda: WideningBins(_Place, width=1))

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        """Adds those that were counted and completed; the others change nothing."""
        found: dict[int, tuple[list[float], list[float]]] = {}
        for record in records:
            age_s, latency_s = record.connection_age_s, record.eos_latency_s
            if age_s is None or latency_s is None or not record.is_counted or not record.is_ok:
                continue
            ages_s, latencies_s = found.setdefault(record.connection_utterance, ([], []))
            ages_s.append(age_s)
            latencies_s.append(latency_s)
        for carried, (ages_s, latencies_s) in found.items():
            place = self._places.at(carried)
            place.ages_s.extend(ages_s)
            place.latencies_s.extend(latencies_s)

    def close(self) -> tuple[AgeFigures, ...]:
        """The figures place by place; empty where no connection carried a second utterance."""
        places = self._places.ascending()
        if not any(carried for carried, _ in places):  # all are first utterances
            return ()
        return tuple(
            AgeFigures(int(carried), place.ages_s.total / len(place.latencies_s), Distribution(values))
            for carried, place in places
            for values in [place.latencies_s.close()]
        )

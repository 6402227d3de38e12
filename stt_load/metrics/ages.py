"""Latency against the age of a connection, where one carries several utterances: does a session get slower?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from stt_load.metrics.quantiles import Distribution
from stt_load.records import UtteranceRecord


@dataclass(frozen=True, slots=True)
class AgeFigures:
    """Of the completed utterances before which their connection had carried `carried` others.

    `age_s_mean`: from the upgrade to the start of the stream.
    """

    carried: int
    age_s_mean: float
    eos_latency: Distribution


def by_age(records: Iterable[UtteranceRecord]) -> tuple[AgeFigures, ...]:
    """Counted utterances by their place on the connection; none where no connection carried a second one."""
    places: dict[int, list[tuple[float, float]]] = {}
    for record in records:
        age_s, latency_s = record.connection_age_s, record.eos_latency_s
        if record.is_counted and record.is_ok and age_s is not None and latency_s is not None:
            places.setdefault(record.connection_utterance, []).append((age_s, latency_s))
    if not any(places.keys() - {0}):
        return ()
    return tuple(
        AgeFigures(
            carried,
            math.fsum(age_s for age_s, _ in pairs) / len(pairs),
            Distribution.of(latency_s for _, latency_s in pairs),
        )
        for carried, pairs in sorted(places.items())
    )

"""Latency against the age of a connection."""

from __future__ import annotations

import pytest

from stt_load.errors import Outcome
from stt_load.metrics.connection_age import AgeFigures, ConnectionAges
from stt_load.records import UtteranceRecord


def spoken(carried: int, age_s: float, eos_s: float, phase: str = "hold", outcome: str = Outcome.OK) -> UtteranceRecord:
    record = UtteranceRecord("run", 0, 0, 0, phase, 1, "clip", "words")
    record.outcome, record.eos_latency_s = outcome, eos_s
    record.connection_utterance, record.connection_age_s = carried, age_s
    return record


def by_age(records: list[UtteranceRecord]) -> tuple[AgeFigures, ...]:
    """The figures of the records, added in two batches."""
    ages = ConnectionAges()
    ages.add(records[:1])
    ages.add(records[1:])
    return ages.close()


def test_utterances_are_told_apart_by_how_many_their_connection_had_carried() -> None:
    young, old = by_age([spoken(0, 0.1, 0.5), spoken(1, 6.0, 0.9), spoken(0, 0.3, 0.7), spoken(1, 8.0, 1.1)])
    assert (young.carried, young.age_s_mean, young.eos_latency.n) == (0, pytest.approx(0.2), 2)
    assert (old.carried, old.age_s_mean, old.eos_latency.mean) == (1, pytest.approx(7.0), pytest.approx(1.0))


def test_only_completed_utterances_of_the_hold_count() -> None:
    (young, old) = by_age(
        [
            spoken(0, 0.1, 0.5),
            spoken(1, 6.0, 0.9),
            spoken(1, 6.0, 9.0, phase="ramp"),
            spoken(1, 6.0, 9.0, outcome=Outcome.TIMED_OUT),
        ]
    )
    assert (young.eos_latency.n, old.eos_latency.n) == (1, 1)


def test_where_connections_carry_one_utterance_there_is_nothing_to_tell() -> None:
    assert by_age([spoken(0, 0.1, 0.5), spoken(0, 0.2, 0.6)]) == ()
    assert by_age([]) == ()

"""What an objective allows, and when one trial misses it."""

from __future__ import annotations

from array import array

import pytest

from stt_load.capacity.trial import TrialObjective, allowed_share, counts_utterances, misses
from stt_load.metrics.estimates import Resampled, of_distribution
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import SloResult, judge, parse_slo


@pytest.mark.parametrize(
    ("text", "allowed", "is_count"),
    [
        ("eos_latency:p99<1s", 0.01, True),
        ("error_rate<1%", 0.01, True),
        ("eos_latency:mean<=800ms", 0.8, False),
        ("wer<=8%", 0.08, False),
        ("wer_delta<5%", None, False),
        ("eos_latency:max<1s", None, False),
        ("foreign_text<1", None, False),
    ],
)
def test_what_an_objective_allows(text: str, allowed: float | None, is_count: bool) -> None:
    share = allowed_share(parse_slo(text))
    assert share is None if allowed is None else share == pytest.approx(allowed)
    assert counts_utterances(parse_slo(text)) is is_count


def with_late(late: int, n: int) -> SloResult:
    """The result of a p95 below 1 s, with so many late of n utterances."""
    values = Distribution(array("d", [0.5] * (n - late) + [2.0] * late))
    return judge(parse_slo("eos_latency:p95<1s"), of_distribution(values, "p95"))


@pytest.mark.parametrize(
    ("late", "n", "is_missed"),
    [(0, 5, False), (1, 5, False), (3, 5, True), (1, 19, False), (2, 20, True), (1, 20, False), (11, 200, True)],
    ids=[
        "none of five",
        "one of five, which is no proof",
        "three of five, which is",
        "one of nineteen",
        "two of twenty, where one is allowed",
        "one of twenty",
        "one too many of two hundred",
    ],
)
def test_what_was_measured_decides_as_soon_as_one_late_utterance_is_allowed(late: int, n: int, is_missed: bool) -> None:
    assert misses(with_late(late, n)) is is_missed
    assert TrialObjective.of(with_late(late, n), None).is_met is not is_missed


@pytest.mark.parametrize(("low", "is_missed"), [(0.08, False), (0.11, True)], ids=["it may be chance", "it is proven"])
def test_a_figure_that_is_no_share_of_utterances_is_missed_where_that_is_proven(low: float, is_missed: bool) -> None:
    assert misses(judge(parse_slo("wer<10%"), Resampled(0.12, low, 0.16, 500))) is is_missed


def test_nothing_measured_misses_nothing() -> None:
    assert not misses(judge(parse_slo("eos_latency:p95<1s"), None))

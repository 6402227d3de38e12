"""The sequential test: its evidence against numeric integration, its false alarms and its speed computed exactly."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from stt_load.capacity.sequential import LateShareTest, log_evidence
from stt_load.metrics.estimates import Share

RISK = 0.01


def is_breached(late: int, n: int, allowed: float) -> bool:
    return log_evidence(late, n, allowed) >= -math.log(RISK)


def alarms(share: float, longest: int, is_alarm: Callable[[int, int], bool]) -> np.ndarray:
    """The probability of an alarm by the n-th utterance, for each n up to `longest`, of a server that is late with
    this probability: exact, by carrying the distribution of the late ones that raised none.

    What is late enough for an alarm must not shrink as n grows."""
    enough, raised = 0, 0.0
    quiet, risen = np.zeros(longest + 2), np.zeros(longest + 1)
    quiet[0] = 1.0
    for n in range(1, longest + 1):
        while enough <= n and not is_alarm(enough, n):
            enough += 1
        quiet[1 : enough + 1] = (1 - share) * quiet[1 : enough + 1] + share * quiet[:enough]
        quiet[0] *= 1 - share
        raised += quiet[enough:].sum()
        quiet[enough:] = 0.0
        risen[n] = raised
    return risen


@pytest.mark.parametrize("allowed", [0.01, 0.05, 0.5])
@pytest.mark.parametrize(("late", "n"), [(0, 10), (3, 10), (10, 10), (12, 200), (40, 200)])
def test_the_closed_form_is_the_integral(allowed: float, late: int, n: int) -> None:
    others = max(1, round(1 / (3 * allowed)))
    edges = np.linspace(allowed, 1, 200_001)
    p = (edges[1:] + edges[:-1]) / 2
    density = (1 - p) ** (others - 1)
    ratio = np.exp(late * np.log(p / allowed) + (n - late) * np.log((1 - p) / (1 - allowed)))
    assert log_evidence(late, n, allowed) == pytest.approx(math.log((ratio * density).sum() / density.sum()), abs=1e-3)


@pytest.mark.parametrize("allowed", [0.01, 0.05])
def test_a_server_at_exactly_the_allowed_share_is_hardly_ever_broken_off_however_long_the_trial(allowed: float) -> None:
    risen = alarms(allowed, 4_000, lambda late, n: is_breached(late, n, allowed))
    assert 0 < risen[-1] <= RISK


def test_one_with_three_times_the_allowed_share_is_broken_off_early() -> None:
    risen = alarms(0.15, 400, lambda late, n: is_breached(late, n, 0.05))
    median = int(np.searchsorted(risen, 0.5))
    assert 40 <= median <= 100
    assert risen[-1] > 0.999


def test_peeking_at_an_interval_for_one_n_would_break_off_servers_that_do_nothing_wrong() -> None:
    """The one-sided 95 % limit of the report, looked at after each of 500 utterances."""

    def is_alarm(late: int, n: int) -> bool:
        low = Share(late, n).low
        return low is not None and low > 0.05

    assert alarms(0.05, 500, is_alarm)[-1] > 0.15


def test_counts_may_come_in_any_pieces() -> None:
    at_once, one_by_one = LateShareTest(0.05), LateShareTest(0.05)
    at_once.add(30, 100)
    for number in range(100):
        one_by_one.add(int(number < 30), 1)
    assert at_once.is_breached
    assert one_by_one.is_breached


def test_a_breach_stays_one() -> None:
    test = LateShareTest(0.05)
    test.add(20, 20)
    test.add(0, 10_000)
    assert test.is_breached


@pytest.mark.parametrize(
    ("allowed", "late", "n", "is_breach"),
    [(0.0, 0, 1_000, False), (0.0, 1, 1_000, True), (1.0, 1_000, 1_000, False), (0.05, 0, 0, False)],
    ids=["none may be late and none is", "none may be late and one is", "all may be late", "nothing has ended"],
)
def test_at_the_ends_it_is_certain_or_silent(allowed: float, late: int, n: int, is_breach: bool) -> None:
    test = LateShareTest(allowed)
    test.add(late, n)
    assert test.is_breached is is_breach


def test_a_million_utterances_are_no_trouble() -> None:
    assert log_evidence(50_000, 1_000_000, 0.05) < 0
    assert log_evidence(60_000, 1_000_000, 0.05) > 100

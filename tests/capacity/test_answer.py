"""The answer from trials with known results and counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stt_load.capacity.answer import CapacityAnswer, EdgeSide, Limit, Shape, Turn, find_answer
from stt_load.capacity.interval import Interval
from stt_load.capacity.search import CapacitySearch, SearchEnd
from stt_load.capacity.trial import CallerCounts, Trial, TrialObjective, TrialResult
from stt_load.metrics.slo import parse_slo

Share = float | None


def objective(text: str, users: int, share: Share, is_met: bool, failed: float = 0.0) -> TrialObjective:
    """Ten utterances a caller, of which this share is beyond the bound; None: there are no counts."""
    slo = parse_slo(text)
    if share is None:
        return TrialObjective(slo, is_met)
    parts = np.full(users, 10 * share)
    return TrialObjective(slo, is_met, CallerCounts(parts, np.full(users, 10.0), failed * parts.sum()))


def trial(users: int, *objectives: TrialObjective) -> Trial:
    is_met = all(objective.is_met for objective in objectives)
    return Trial(users, TrialResult.PASS if is_met else TrialResult.FAIL, objectives)


def late(users: int, share: float) -> Trial:
    return trial(users, objective("eos_latency:p95<1s", users, share, share <= 0.05))


def answer_of(*trials: Trial) -> CapacityAnswer:
    return find_answer(CapacitySearch.replayed(trials))


def searched(shares: Sequence[tuple[int, float]]) -> CapacityAnswer:
    """The answer of a search whose share of late utterances is the last one of these at no more callers."""
    search = CapacitySearch(1, 500)
    while (users := search.next_users) is not None:
        search.record(late(users, [share for least, share in shares if least <= users][-1]))
    return find_answer(search)


def test_a_cliff_is_found_between_its_two_sides() -> None:
    answer = searched([(1, 0.0), (43, 1.0)])
    assert (answer.holds, answer.held, answer.broke) == (42, EdgeSide(42, 3, 3), EdgeSide(44, 0, 3))
    assert (answer.interval, answer.binomial) == (Interval(42, 43), Interval(42, 43))
    assert (answer.limited_by, answer.missed) == ((Limit.LATENCY,), ("eos_latency:p95<1s",))
    assert answer.turn == Turn(Shape.CLIFF, 42, 44)
    assert answer.why_over is SearchEnd.FOUND


def test_a_slope_says_where_it_has_collapsed() -> None:
    answer = searched([(1, 0.0), (30, 0.04), (43, 0.08), (60, 0.3)])
    assert answer.turn == Turn(Shape.SLOPE, 42, 64)


def test_where_nothing_breaks_nothing_bounds_it_from_above() -> None:
    answer = find_answer(CapacitySearch.replayed([late(1, 0.0), late(2, 0.0)], most=2))
    assert (answer.holds, answer.interval, answer.broke, answer.turn) == (2, Interval(2, None), None, None)
    assert (answer.limited_by, answer.why_over) == ((), None)


def test_where_nothing_holds_it_is_zero() -> None:
    answer = searched([(1, 0.5)])
    assert (answer.holds, answer.interval, answer.held, answer.turn) == (0, Interval(0, 0), None, None)


def test_without_a_believable_trial_there_is_no_interval() -> None:
    answer = answer_of(Trial(1, TrialResult.INVALID), Trial(1, TrialResult.INVALID))
    assert (answer.holds, answer.interval, answer.binomial, answer.curves) == (0, None, None, ())
    assert (answer.why_over, answer.invalid_at, answer.trials) == (SearchEnd.INVALID, 1, 2)


def test_a_generator_that_is_the_limit_leaves_what_held() -> None:
    invalid = Trial(4, TrialResult.INVALID)
    answer = answer_of(late(1, 0.0), late(2, 0.0), invalid, invalid)
    assert (answer.holds, answer.interval, answer.invalid_at) == (2, Interval(2, None), 4)


@pytest.mark.parametrize(
    ("objectives", "limits"),
    [
        ((("eos_latency:p95<1s", 0.5, False), ("error_rate<1%", 0.0, True)), (Limit.LATENCY,)),
        ((("eos_latency:p95<1s", 0.5, False, 0.9), ("error_rate<1%", 0.5, False)), (Limit.ERRORS,)),
        ((("eos_latency:p95<1s", 0.5, False, 0.1), ("error_rate<1%", 0.05, False)), (Limit.LATENCY, Limit.ERRORS)),
        ((("eos_latency:p95<1s", 0.0, True), ("wer_delta<5%", None, False)), (Limit.WER,)),
        ((("foreign_text<1", None, False),), (Limit.OTHER,)),
    ],
    ids=["late", "late because refused", "late, and some refused", "wrong", "another caller's words"],
)
def test_what_it_is_limited_by(objectives: Sequence[tuple[str, Share, bool]], limits: tuple[Limit, ...]) -> None:
    trials = [trial(users, *(objective(of[0], users, *of[1:]) for of in objectives)) for users in (2, 2, 2)]
    assert answer_of(*trials).limited_by == limits


def test_an_objective_without_a_share_is_bounded_by_its_trials() -> None:
    """Two of three trials with four callers fail: of three trials drawn again, most may pass."""
    met = [(1, True), (2, True), (3, True), (3, True), (3, True), (4, False), (4, False), (4, True), (8, False)]
    answer = answer_of(*(trial(users, objective("wer_delta<5%", users, None, is_met)) for users, is_met in met))
    assert (answer.holds, answer.low, answer.high) == (3, 3, 7)
    assert (answer.binomial, answer.curves, answer.turn) == (None, (), None)


def test_the_objective_that_breaks_first_is_the_edge() -> None:
    def both(users: int) -> Trial:
        return trial(
            users,
            objective("eos_latency:p95<1s", users, 0.0 if users < 8 else 0.9, users < 8),
            objective("wer<10%", users, 0.05 if users < 4 else 0.4, users < 4),
        )

    answer = answer_of(*map(both, (1, 2, 4, 3, 3, 3, 4, 4, 8)))
    assert (answer.holds, answer.low, answer.high, answer.limited_by) == (3, 3, 3, (Limit.WER,))
    assert [curve.slo.text for curve in answer.curves] == ["eos_latency:p95<1s", "wer<10%"]
    assert answer.curves[1].users == (1, 2, 3, 4, 8)
    assert answer.curves[1].fitted == pytest.approx((0.05, 0.05, 0.05, 0.4, 0.4))


def test_trials_that_differ_make_the_interval_wider_than_utterances_alone_do() -> None:
    shares = [(32, 0.0), (40, 0.02), (42, 0.01), (42, 0.01), (42, 0.12), (44, 0.03), (44, 0.2), (44, 0.2), (64, 1.0)]
    answer = answer_of(*(late(users, share) for users, share in shares))
    assert answer.binomial == Interval(40, 43)
    assert answer.interval == Interval(40, 63)
    assert answer.holds == 42


def test_the_same_trials_give_the_same_answer() -> None:
    trials = [late(users, share) for users, share in [(8, 0.0), (16, 0.2), (12, 0.04), (14, 0.06)]]
    assert answer_of(*trials) == answer_of(*trials)


def test_twenty_trials_of_a_thousand_utterances_are_quickly_drawn() -> None:
    """The matrix of resamples is what costs: it has callers times resamples numbers, whatever the utterances."""
    trials = [late(200 + number, 0.01 * number / 4) for number in range(20)]
    assert answer_of(*trials).trials == 20

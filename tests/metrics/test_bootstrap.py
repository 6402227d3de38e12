"""Limits of rates and means: what they are worth, shown on samples whose truth is known."""

import numpy as np
import pytest

from stt_load.metrics.bootstrap import (
    MIN_CLUSTERS,
    error_rate_limits,
    mean_limits,
    paired_limits,
    rate_limits,
)

LENGTH = 10


@pytest.mark.parametrize("k", range(MIN_CLUSTERS))
def test_fewer_than_five_clips_bound_nothing(k: int) -> None:
    assert rate_limits([1] * k, [10] * k) == (None, None)


def test_references_without_a_word_have_no_rate() -> None:
    assert rate_limits([1] * 9, [0] * 9) == (None, None)
    assert mean_limits([]) == (None, None)
    lower, upper = rate_limits([1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 10])
    assert lower == pytest.approx(0.1) and upper is not None


def test_the_same_sample_has_the_same_limits() -> None:
    sample = np.random.default_rng(5).random(40)
    assert mean_limits(sample) == mean_limits(sample)


@pytest.mark.parametrize("n", [20, 60, 300])
def test_no_error_in_n_utterances_proves_about_three_over_n(n: int) -> None:
    lower, upper = error_rate_limits([0] * n, [LENGTH] * n, [1] * n)
    assert lower == 0.0
    assert 2 / n < upper < 4.1 / n


def test_one_clip_spoken_often_is_one_piece_of_evidence() -> None:
    _, of_clips = error_rate_limits([30, 0, 0, 0, 0, 0], [100] * 6, [10] * 6)
    _, of_utterances = error_rate_limits([3] * 10 + [0] * 50, [10] * 60, [1] * 60)
    assert of_clips > of_utterances + 0.02


def test_hard_clips_cancel_out_where_both_stages_spoke_them() -> None:
    difficulty = np.random.default_rng(2).integers(0, 5, 60)
    lower, upper = paired_limits(difficulty + 1, difficulty, [LENGTH] * 60, 600)
    assert lower == pytest.approx(0.1)
    assert 0.1 < upper < 0.12  # one more utterance with nothing right in 600


def test_an_unseen_utterance_weighs_as_one_of_all_that_were_spoken() -> None:
    few, many = (paired_limits([0] * 10, [0] * 10, [LENGTH] * 10, n)[1] for n in (10, 600))
    assert many < 0.01 < 0.2 < few


def test_a_million_rows_are_dealt_into_groups_that_are_as_certain() -> None:
    rng = np.random.default_rng(3)
    errors = rng.binomial(LENGTH, 0.08, 1_000_000)
    lower, upper = error_rate_limits(errors, np.full(len(errors), LENGTH), np.ones(len(errors)))
    rate = errors.mean() / LENGTH
    assert rate - 0.0003 < lower < rate < upper < rate + 0.0003  # one standard error is 0.00009


@pytest.mark.parametrize("n", [20, 60])
@pytest.mark.parametrize("how", ["normal", "skewed"])
def test_the_truth_is_beyond_a_limit_of_a_mean_in_about_one_of_twenty_samples(n: int, how: str) -> None:
    rng = np.random.default_rng(7)
    draw = {"normal": lambda: rng.normal(1.0, 0.3, n), "skewed": lambda: rng.lognormal(-0.125, 0.5, n)}[how]
    limits = [mean_limits(draw()) for _ in range(300)]  # the true mean is 1 in both
    assert sum(upper < 1.0 for _, upper in limits) <= 300 * 0.08
    assert sum(lower > 1.0 for lower, _ in limits) <= 300 * 0.08


def heard(rng: np.random.Generator, n: int, word_errors: float, whole: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors and utterances of 52 clips of ten words, spoken in turn. `whole`: the share of transcripts that are wrong
    in every word."""
    spoken = np.bincount(np.arange(n) % 52, minlength=52)
    errors = [
        sum(LENGTH if rng.random() < whole else rng.binomial(LENGTH, word_errors) for _ in range(times))
        for times in spoken
    ]
    return np.array(errors), spoken


@pytest.mark.parametrize("n", [(10, 49), (20, 20), (59, 59), (100, 300)])
@pytest.mark.parametrize(
    ("first", "here", "truth"),
    [((0.08,), (0.08,), 0.0), ((0.08,), (0.13,), 0.05), ((0.0,), (0.0, 0.05), 0.05), ((0.03,), (0.13,), 0.1)],
    ids=["no change", "single words", "whole transcripts", "far worse"],
)
def test_the_change_between_two_stages_is_beyond_a_limit_in_at_most_one_of_twenty(
    n: tuple[int, int], first: tuple[float, ...], here: tuple[float, ...], truth: float
) -> None:
    rng = np.random.default_rng(11)
    stages = 120
    too_low = too_high = 0
    for _ in range(stages):
        (errors_first, spoken_first), (errors, spoken) = heard(rng, n[0], *first), heard(rng, n[1], *here)
        both = (spoken_first > 0) & (spoken > 0)
        lower, upper = paired_limits(
            errors[both] / spoken[both],
            errors_first[both] / spoken_first[both],
            np.full(both.sum(), LENGTH),
            spoken[both].sum(),
        )
        too_low += upper < truth  # a worse server would pass
        too_high += lower > truth  # a better server would fail
    assert too_low <= 0.05 * stages + 5
    assert too_high <= 0.05 * stages + 5

import math

import numpy as np
import pytest

from stt_load.metrics.caller_bootstrap import StageSample, binomial_error, share_error, standard_errors


def sample(values: list[float] | np.ndarray, callers: int = 10) -> StageSample:
    """Values in the order in which their utterances began, dealt to callers in turn."""
    numbers = np.asarray(values, np.float64)
    return StageSample(numbers, np.arange(len(numbers)) % callers, np.arange(len(numbers), dtype=np.float64))


def normal(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 0.2, n)


def error_of(made: StageSample, statistic: str = "mean") -> float:
    error = standard_errors(made, [statistic])[statistic]
    assert error is not None
    return error.value


def test_independent_values_stray_as_the_textbook_says() -> None:
    made = sample(normal(2_000), callers=100)
    assert error_of(made) == pytest.approx(0.2 / math.sqrt(2_000), rel=0.5)
    assert error_of(made, "p50") == pytest.approx(0.2 * math.sqrt(math.pi / 2 / 2_000), rel=0.5)


@pytest.mark.parametrize("what", ["callers", "moments"])
def test_values_that_belong_together_say_less(what: str) -> None:
    """Six callers of which each is slow or fast, or six moments: 120 values say no more than six."""
    alone = error_of(sample(normal(120), callers=6))
    together = np.tile(normal(6), 20) if what == "callers" else np.repeat(normal(6), 20)
    assert error_of(sample(together, callers=6)) > 2 * alone


def test_errors_grow_with_the_values() -> None:
    values = normal(80)
    assert error_of(sample(1.3 * values), "p95") == pytest.approx(1.3 * error_of(sample(values), "p95"))


def test_the_same_values_give_the_same_error() -> None:
    assert standard_errors(sample(normal(80)), ["p50", "p95"]) == standard_errors(sample(normal(80)), ["p50", "p95"])


def test_more_values_than_bins_and_more_callers_than_groups_change_little() -> None:
    few, many = error_of(sample(normal(2_000), 200), "p50"), error_of(sample(normal(8_000), 800), "p50")
    assert many == pytest.approx(few / 2, rel=0.5)


def test_a_percentile_near_failed_utterances_has_no_error_and_a_mean_leaves_them_out() -> None:
    values = [*normal(76), *[math.inf] * 4]
    errors = standard_errors(sample(values), ["p50", "p95", "mean"])
    assert errors["p95"] is None
    assert errors["p50"] is not None
    assert errors["mean"] is not None


def test_a_handful_of_values_has_no_error() -> None:
    assert standard_errors(sample([0.1, 0.2, 0.3, 0.4]), ["p50"]) == {"p50": None}


def test_a_share_of_nothing_is_not_known_for_certain() -> None:
    error = share_error(sample([0.0] * 98))
    assert error is not None
    assert error.value == pytest.approx(0.01, rel=0.01)  # one of a hundred
    assert error == binomial_error(0, 98)


def test_failures_of_one_caller_say_less_than_as_many_of_all() -> None:
    scattered, one_caller = np.zeros(100), np.zeros(100)
    scattered[::11] = 1  # ten utterances of ten callers
    one_caller[::10] = 1
    errors = [share_error(sample(values)) for values in (one_caller, scattered)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[0].value > 1.5 * errors[1].value


def test_no_utterance_has_no_share() -> None:
    assert share_error(sample([])) is None

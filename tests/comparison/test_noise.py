"""Which changes are told: of runs from the same distribution none, of one that is 30 % slower this."""

import math

import numpy as np
import pytest
from made_run import utterance

from stt_load.comparison.caller_values import CallerValues
from stt_load.comparison.measures import measure_named
from stt_load.comparison.noise import RISK, Basis, Observation, change_between
from stt_load.metrics.caller_bootstrap import StageSample, StandardError, standard_errors
from stt_load.metrics.clip_errors import ErrorCount
from stt_load.metrics.figures import FIGURES_BY_NAME
from stt_load.metrics.quantiles import Distribution

STATISTICS = {"p50": 0.5, "p95": 0.95}
RUNS = 60


def observed(seed: int, callers: int = 20, each: int = 10) -> dict[str, Observation]:
    """A stage whose callers differ by 10 %, and whose load comes in waves of 2 s, which differ as much."""
    rng = np.random.default_rng(seed)
    who, began_s = np.repeat(np.arange(callers), each), rng.uniform(0, 30, callers * each)
    waves = rng.normal(0, 0.1, 15)[(began_s / 2).astype(int)]
    values = 0.45 * np.exp(rng.normal(0, 0.1, callers)[who] + waves + rng.normal(0, 0.2, callers * each))
    errors = standard_errors(StageSample(values, who, began_s), list(STATISTICS))
    ordered = Distribution.of(values)
    return {name: Observation(ordered.at(p) or 0.0, errors[name]) for name, p in STATISTICS.items()}


def slower(one: Observation, factor: float) -> Observation:
    """The same stage on a slower server: its error is larger by the same factor."""
    assert one.error is not None
    return Observation(factor * one.value, StandardError(factor * one.error.value, one.error.degrees))


def is_told(before: Observation, after: Observation) -> bool:
    change = change_between([before], [after])
    noise = change.noise(RISK / len(STATISTICS))
    assert noise is not None
    return abs(change.value) > noise


def test_what_an_utterance_adds_to_the_noise_of_a_figure_is_what_it_adds_to_the_figure() -> None:
    rows = [
        utterance(0, 2, turns=1, end="server"),
        utterance(0, 2, 1, turns=1, end="server", endpointing_delay_s=None),
        utterance(0, 2, outcome="timed_out", eos_latency_s=None, endpointing_delay_s=None, turns=None),
    ]
    figures = [FIGURES_BY_NAME[name] for name in ("eos_latency", "first_partial", "endpointing_delay", "connect")]
    values = CallerValues()
    values.add(rows, figures)
    assert [values.sample(figure).values.tolist() for figure in figures] == [
        [0.4, 0.4, math.inf],
        [0.9, 0.9, math.inf],
        [0.3, math.inf],
        [0.003, 0.003, 0.003],
    ]


def test_runs_of_one_server_are_told_apart_in_at_most_1_of_20_and_a_server_that_is_30_percent_slower_always() -> None:
    stages = [observed(seed) for seed in range(2 * RUNS)]
    pairs = list(zip(stages[::2], stages[1::2], strict=True))
    by_mistake = sum(any(is_told(a[name], b[name]) for name in STATISTICS) for a, b in pairs)
    told = sum(any(is_told(a[name], slower(b[name], 1.3)) for name in STATISTICS) for a, b in pairs)
    assert by_mistake <= 0.05 * RUNS
    assert told >= 0.95 * RUNS


def test_repeats_of_one_server_are_told_apart_in_at_most_1_of_20() -> None:
    """The runs differ by 5 % each, which no single run can see."""
    rng = np.random.default_rng(5)
    told = 0
    for _ in range(1_000):
        before, after = ([Observation(value) for value in rng.normal(1, 0.05, 3)] for _ in range(2))
        change = change_between(before, after)
        noise = change.noise(RISK)
        told += noise is not None and abs(change.value) > noise
    assert 0.02 <= told / 1_000 <= 0.065


def test_repeats_are_believed_before_what_a_single_run_says_of_itself() -> None:
    sure = StandardError(0.001, 50)
    change = change_between(
        [Observation(1.0, sure), Observation(1.2, sure)], [Observation(1.1, sure), Observation(1.3, sure)]
    )
    assert change.basis is Basis.REPEATS
    assert change.value == pytest.approx(0.1)
    assert change.error == StandardError(pytest.approx(math.sqrt(0.02)), 2)


def test_two_against_one_are_no_repeats() -> None:
    change = change_between(
        [Observation(1.0, StandardError(0.3, 9)), Observation(1.2, StandardError(0.4, 9))],
        [Observation(2.0, StandardError(0.0, 9))],
    )
    assert change.basis is Basis.CALLERS
    assert change.value == pytest.approx(0.9)
    assert change.error is not None
    assert change.error.value == pytest.approx(0.25)


@pytest.mark.parametrize("after", [Observation(2.0), Observation(math.inf, StandardError(0.1, 9))])
def test_nothing_is_told_of_a_value_that_says_nothing_of_its_error_or_failed(after: Observation) -> None:
    assert change_between([Observation(1.0, StandardError(0.1, 9))], [after]).noise(RISK) is None


def clips(errors: list[int], utterances: int = 1) -> Observation:
    counts = {f"clip-{at}": ErrorCount(n * utterances, 10 * utterances, utterances) for at, n in enumerate(errors)}
    return Observation(sum(errors) / (10 * len(errors)), clips=counts)


def test_hard_clips_cancel_out() -> None:
    """Half of the clips are hard, and each has one error more: paired, that is certain."""
    change = change_between([clips([0, 9] * 10)], [clips([1, 10] * 10, utterances=3)])
    assert change.basis is Basis.CLIPS
    assert change.value == pytest.approx(0.1)
    assert change.noise(RISK) == pytest.approx(0.0)


def test_one_word_that_is_wrong_in_one_clip_is_no_change() -> None:
    change = change_between([clips([0] * 20)], [clips([1] + [0] * 19)])
    noise = change.noise(RISK)
    assert noise is not None
    assert 0 < change.value < noise


def test_few_clips_in_common_tell_nothing() -> None:
    assert change_between([clips([0] * 4)], [clips([9] * 4)]).noise(RISK) is None


def test_a_change_that_rounds_to_nothing_has_no_minus() -> None:
    assert measure_named("wer").change(-1e-5, 0.1) == "+0.0 pt"
    assert measure_named("eos_latency:p95").change(-1e-7, 0.5) == "+0.0 %"
    assert measure_named("wer_delta").value(-1e-6) == "0.0 %"


def test_repeats_that_agree_to_the_last_digit_prove_nothing() -> None:
    one_error_each = [Observation(1 / 80, StandardError(0.0125, 200))] * 2
    none = [Observation(0.0, StandardError(0.0125, 200))] * 2
    change = change_between(none, one_error_each)
    assert (change.basis, change.noise(RISK) > 1 / 80) == (Basis.CALLERS, True)
    assert change_between([Observation(6_407.0)] * 2, [Observation(6_411.0)] * 2).noise(RISK) is None
    assert change_between(none, none).noise(RISK) == 0

"""The schedule of calls: the same from the same seed, and as random as calls are."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from statistics import fmean, pvariance

from stt_load.capacity.arrivals import CallLoad, PlannedCall

N = 20_000


def load(rate: str = "12/min", per_s: float = 0.2, call_s: float = 90.0, seed: int = 1, stage: int = 0) -> CallLoad:
    return CallLoad(rate, per_s, call_s, 10.0, seed, stage)


def calls_of(made: CallLoad, n: int = N) -> list[PlannedCall]:
    return list(islice(made.calls(), n))


def test_the_same_seed_and_stage_give_the_same_calls_and_others_give_others() -> None:
    assert calls_of(load(), 500) == calls_of(load(), 500)
    others = [calls_of(load(seed=2), 500), calls_of(load(stage=1), 500)]
    assert calls_of(load(), 500) not in others and others[0] != others[1]


def test_a_schedule_stays_what_it_is_from_version_to_version() -> None:
    """A run is made again from its seed years later, and reports find lost calls by it."""
    assert [round(call.at_s, 6) for call in calls_of(load(), 19)][-3:] == [2.600782, 3.29582, 5.235641]


def test_calls_are_numbered_in_the_order_in_which_they_come() -> None:
    made = calls_of(load())
    assert [call.ordinal for call in made] == list(range(N))
    assert all(first.at_s <= second.at_s for first, second in pairwise(made))


def test_gaps_and_lengths_are_exponential_and_have_nothing_to_do_with_each_other() -> None:
    """Four standard errors: one run in 16,000 strays that far, and this one is always the same."""
    made = [call for call in calls_of(load()) if call.at_s > load().opening_s]
    gaps = [second.at_s - first.at_s for first, second in pairwise(made)]
    lengths = [call.length_s for call in made[1:]]
    for values, mean in ((gaps, 5.0), (lengths, 90.0)):
        assert abs(fmean(values) - mean) < 4 * mean / math.sqrt(len(values))
        assert abs(sum(value > mean for value in values) / len(values) - math.exp(-1)) < 4 * 0.5 / math.sqrt(
            len(values)
        )
    together = fmean([(gap - 5.0) * (length - 90.0) for gap, length in zip(gaps, lengths, strict=True)])
    assert abs(together) < 4 * 5.0 * 90.0 / math.sqrt(len(gaps))


def test_a_stage_opens_with_as_many_callers_as_are_on_the_line_at_any_later_moment() -> None:
    """Poisson with the offered load as its mean, from the end of the opening on, over 400 seeds."""
    on_line: dict[float, list[int]] = {0.0: [], 30.0: [], 300.0: []}
    for seed in range(400):
        made = load(seed=seed)
        end_s = made.opening_s + 300.0
        calls = [call for call in calls_of(made, 200) if call.at_s <= end_s]
        for later_s, counts in on_line.items():
            at_s = made.opening_s + later_s
            counts.append(sum(call.at_s <= at_s < call.at_s + call.length_s for call in calls))
    for later_s, counts in on_line.items():
        assert abs(fmean(counts) - 18.0) < 4 * math.sqrt(18.0 / 400), later_s
        assert 0.75 < pvariance(counts) / 18.0 < 1.3, later_s


def test_the_opening_calls_come_at_the_ramp_rate_one_after_the_other() -> None:
    made = load()
    opening = [call for call in calls_of(made, 60) if call.at_s < made.opening_s]
    assert len(opening) == round(made.opening_s * 10.0)
    assert [round(call.at_s, 9) for call in opening] == [round(n / 10.0, 9) for n in range(len(opening))]


def test_a_load_says_how_many_callers_it_means() -> None:
    assert (load().erlangs, load().users, load().likely_peak) == (18.0, 18, 39)
    assert load(per_s=0.01, call_s=20.0).users == 1

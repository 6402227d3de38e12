"""The check of the newest run against the last good ones."""

from dataclasses import replace

import numpy as np
import pytest
from rows import run, runs_with, stage

from stt_load.history.regression import FEWEST, factor, judge_newest
from stt_load.history.run_row import RunRow, common_users
from stt_load.report.model import Verdict

STEADY = [0.50, 0.51, 0.49, 0.50, 0.52, 0.48, 0.51, 0.50]


def regressions(runs: list[RunRow]) -> list[str]:
    judgement = judge_newest(runs)
    assert judgement.why_not is None
    return [compared.figure.name for compared in judgement.regressions]


CHANGES = [
    ("like before", 0.51, []),
    ("twice as late", 1.0, ["p95"]),
    ("on failed utterances", float("inf"), ["p95"]),
    ("twice as fast", 0.25, []),
    ("a little later than ever, within the scatter", 0.53, []),
]


@pytest.mark.parametrize(("what", "newest", "expected"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_figure_far_above_the_scatter_of_those_before_is_a_regression(
    what: str, newest: float, expected: list[str]
) -> None:
    assert regressions(runs_with([*STEADY, newest])) == expected


def test_fewer_callers_held_are_a_regression_and_more_are_none() -> None:
    before = [run(at) for at in range(6)]
    assert regressions([*before, run(6, holds=10)]) == ["callers held"]
    assert regressions([*before, run(6, holds=0)]) == ["callers held"]
    assert regressions([*before, run(6, holds=30)]) == []


def test_a_change_that_nobody_would_care_about_is_none_however_steady_the_runs_were() -> None:
    assert regressions(runs_with([0.5] * 8 + [0.52])) == []
    assert regressions(runs_with([0.5] * 8 + [0.56])) == ["p95"]
    assert regressions(runs_with([0.0] * 8 + [0.004], name="error_rate")) == []
    assert regressions(runs_with([0.0] * 8 + [0.02], name="error_rate")) == ["error rate"]


def test_what_has_happened_twice_before_is_no_regression() -> None:
    held = [20, 20, 10, 20, 20, 10, 20, 20]
    assert regressions([run(at, holds=n) for at, n in enumerate([*held, 10])]) == []
    assert regressions([run(at, holds=n) for at, n in enumerate([*held, 5])]) == ["callers held"]


def test_one_bad_run_before_hides_no_regression() -> None:
    assert regressions(runs_with([*STEADY, 3.0, 1.0])) == ["p95"]


UNLIKE = [
    ("another kind of load", {"kind": "upload"}, "of another kind of load, label, server or machine"),
    ("another label", {"label": "x"}, "of another kind of load, label, server or machine"),
    ("another machine", {"machine": "x"}, "of another kind of load, label, server or machine"),
    (
        "other clips",
        {"test": {"dialect": "parakeet", "clips": "other"}},
        "of another test (clips)",
    ),
    ("not valid", {"verdict": Verdict.INVALID}, "not to be believed"),
    ("nothing judged", {"holds": None}, "not to be believed"),
]


@pytest.mark.parametrize(("what", "change", "told"), UNLIKE, ids=[row[0] for row in UNLIKE])
def test_runs_that_are_not_like_it_are_not_compared_and_counted(what: str, change: dict, told: str) -> None:
    before = [run(at) for at in range(FEWEST)]
    assert judge_newest([*before, run(9)]).why_not is None
    before[0] = replace(before[0], **change)
    assert judge_newest([*before, run(9)]).why_not == f"4 good runs like it, and it takes 5; 1 {told}"


def test_a_user_may_ask_for_less_in_common() -> None:
    before = [run(at, label=f"build-{at}") for at in range(FEWEST)]
    assert judge_newest([*before, run(9)]).why_not is not None
    assert judge_newest([*before, run(9)], ("server", "machine")).why_not is None


def test_a_newest_run_that_proves_nothing_is_not_judged() -> None:
    assert judge_newest([]).why_not == "there is no run"
    runs = [*(run(at) for at in range(8)), run(8, verdict=Verdict.INVALID)]
    assert judge_newest(runs).why_not == "the newest run is invalid: its figures prove nothing"


def test_figures_are_compared_at_the_largest_number_of_callers_that_passes() -> None:
    ladder = [stage(1), stage(10), stage(20), stage(30, Verdict.FAIL, p95_s=2.0), stage(40, Verdict.INVALID)]
    runs = [run(at, stages=ladder) for at in range(8)]
    assert common_users(runs) == 20
    assert {compared.users for compared in judge_newest(runs).compared} == {20}
    shorter = [*runs, run(8, holds=10, stages=ladder[:2])]
    assert {compared.users for compared in judge_newest(shorter).compared} == {10}
    assert common_users([run(0, stages=[stage(5, Verdict.FAIL), stage(9, Verdict.FAIL)])]) == 5
    assert common_users([]) is None


def test_of_several_stages_with_as_many_callers_the_middle_counts() -> None:
    repeated = run(0, stages=[stage(p95_s=0.5), stage(p95_s=0.7), stage(p95_s=9.0), stage(verdict=Verdict.INVALID)])
    assert repeated.at(20).p95_s == 0.7


@pytest.mark.parametrize("n", [5, 8, 20])
def test_one_in_a_hundred_good_runs_is_called_worse_where_runs_scatter_normally(n: int) -> None:
    scattered = np.random.default_rng(n).normal(size=(20_000, n + 1))
    before, newest = scattered[:, :n], scattered[:, n]
    middle = np.median(before, axis=1)
    spread = 1.4826 * np.median(np.abs(before - middle[:, None]), axis=1)
    assert 0.006 < np.mean(newest - middle > factor(n) * spread) < 0.014

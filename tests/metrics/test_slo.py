"""What can be written as an objective, and what comes of it."""

import math
import random

import pytest

from stt_load.errors import ConfigError
from stt_load.kinds import KINDS
from stt_load.metrics.estimates import Exact, Share, of_distribution
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import SloResult, SloVerdict, judge, parse_slo

EARLY, LATE = 0.5, 1.5


@pytest.mark.parametrize(
    ("text", "name", "statistic", "bound", "is_strict"),
    [
        ("eos_latency:p95<1s", "eos_latency", "p95", 1.0, True),
        ("eos_latency:p95<800ms", "eos_latency", "p95", 0.8, True),
        ("stream_end_latency:p99<=500ms", "stream_end_latency", "p99", 0.5, False),
        ("stream_end_latency:mean<-100ms", "stream_end_latency", "mean", -0.1, True),
        ("first_partial : p99.9 < 2 s", "first_partial", "p99.9", 2.0, True),
        ("rtf:p95<0.5", "rtf", "p95", 0.5, True),
        ("total:mean<=2s", "total", "mean", 2.0, False),
        ("error_rate<1%", "error_rate", None, 0.01, True),
        ("wer_delta<5%", "wer_delta", None, 0.05, True),
        ("wer<8.5%", "wer", None, 0.085, True),
        ("foreign_text<1", "foreign_text", None, 1.0, True),
    ],
)
def test_an_objective_is_read_into_base_units(
    text: str, name: str, statistic: str | None, bound: float, is_strict: bool
) -> None:
    slo = parse_slo(text)
    assert (slo.figure.name, slo.statistic, slo.is_strict) == (name, statistic, is_strict)
    assert slo.bound == pytest.approx(bound)
    assert slo.text == text.replace(" ", "")


def test_a_percentile_is_known_as_a_share() -> None:
    assert parse_slo("eos_latency:p95<1s").percentile == pytest.approx(0.95)
    assert parse_slo("wer<8%").percentile is None


@pytest.mark.parametrize("text", [text for kind in KINDS.values() for text in kind.default_slos])
def test_the_defaults_can_be_read(text: str) -> None:
    assert parse_slo(text).text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write it like 'eos_latency:p95<1s'"),
        ("fast", "write it like 'eos_latency:p95<1s'"),
        ("eos_latency:p95>1s", "write it like 'eos_latency:p95<1s'"),
        ("latency:p95<1s", "it can be one of error_rate, eos_latency"),
        ("endpointing_dely:p95<1s", "no figure 'endpointing_dely' (endpointing_delay?)"),
        ("eos_latency<1s", "eos_latency:p95<800ms"),
        ("eos_latency:p95<1", "eos_latency:p95<800ms"),
        ("eos_latency:p0<1s", "eos_latency:p95<800ms"),
        ("eos_latency:p100<1s", "eos_latency:p95<800ms"),
        ("eos_latency:median<1s", "eos_latency:p95<800ms"),
        ("rtf<1", "rtf:p95<0.5"),
        ("rtf:p95<1s", "rtf:p95<0.5"),
        ("wer<8", "the percent sign is needed"),
        ("wer:p95<8%", "the percent sign is needed"),
        ("foreign_text<1%", "foreign_text<1"),
    ],
)
def test_what_cannot_be_read_gets_one_line_with_what_can_be_written(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_slo(text)
    (line,) = caught.value.problems
    assert repr(text) in line
    assert says in line
    assert "\n" not in line


def judged(text: str, values: list[float], without: int = 0) -> SloResult:
    """The result of an objective on a distribution."""
    slo = parse_slo(text)
    return judge(slo, of_distribution(Distribution.of(values), str(slo.statistic), without))


@pytest.mark.parametrize(
    ("early", "late", "verdict", "seems_met", "n_needed"),
    [
        (59, 0, SloVerdict.MET, True, None),
        (58, 0, SloVerdict.UNDECIDED, True, 59),
        (57, 2, SloVerdict.UNDECIDED, True, 500),  # a server that is late in 7 % does this in a quarter of all stages
        (91, 1, SloVerdict.UNDECIDED, True, 93),
        (92, 1, SloVerdict.MET, True, None),
        (56, 3, SloVerdict.UNDECIDED, False, 180_000),  # 5.08 % late
        (53, 6, SloVerdict.UNDECIDED, False, 60),
        (52, 7, SloVerdict.MISSED, False, None),  # 7 of 59 are late in less than 5 % of stages where 5 % are
        (3, 0, SloVerdict.UNDECIDED, True, 59),
        (19, 1, SloVerdict.UNDECIDED, True, None),  # exactly 5 %: no number of utterances like these decides
        (21, 4, SloVerdict.MISSED, False, None),
        (0, 2, SloVerdict.MISSED, False, None),
        (0, 1, SloVerdict.UNDECIDED, False, 59),
        (0, 0, SloVerdict.UNDECIDED, False, None),
    ],
)
def test_a_percentile_is_met_or_missed_only_where_that_is_proven(
    early: int, late: int, verdict: SloVerdict, seems_met: bool, n_needed: int | None
) -> None:
    result = judged("eos_latency:p95<1s", [EARLY] * early + [LATE] * late)
    assert (result.verdict, result.seems_met, result.n_needed) == (verdict, seems_met, n_needed)
    assert result.is_unproven == (verdict is SloVerdict.UNDECIDED and seems_met)


def test_utterances_that_failed_count_as_later_than_any_bound() -> None:
    result = judged("eos_latency:p95<1s", [EARLY] * 60, without=40)
    assert (result.verdict, result.value, result.n) == (SloVerdict.MISSED, math.inf, 100)
    assert judged("eos_latency:p95<1s", [], without=9).verdict is SloVerdict.MISSED


@pytest.mark.parametrize(
    ("errors", "n", "verdict", "n_needed"),
    [
        (0, 3, SloVerdict.UNDECIDED, 299),
        (0, 298, SloVerdict.UNDECIDED, 299),
        (0, 299, SloVerdict.MET, None),
        (1, 472, SloVerdict.UNDECIDED, 480),
        (1, 473, SloVerdict.MET, None),
        (1, 80, SloVerdict.UNDECIDED, 4_300),
        (2, 80, SloVerdict.UNDECIDED, 300),
        (3, 80, SloVerdict.MISSED, None),  # P(3 or more of 80) at 1 % is 4.7 %
        (1, 100, SloVerdict.UNDECIDED, None),
    ],
)
def test_a_share_of_utterances_is_judged_by_the_binomial(
    errors: int, n: int, verdict: SloVerdict, n_needed: int | None
) -> None:
    result = judge(parse_slo("error_rate<1%"), Share(errors, n))
    assert (result.verdict, result.n, result.n_needed) == (verdict, n, n_needed)


def test_what_was_not_measured_is_undecided_and_does_not_seem_met() -> None:
    result = judge(parse_slo("error_rate<1%"), None)
    assert (result.verdict, result.value, result.is_unproven) == (SloVerdict.UNDECIDED, None, False)


def test_a_bound_that_is_not_strict_is_met_by_itself() -> None:
    assert judge(parse_slo("foreign_text<=2"), Exact(2)).verdict is SloVerdict.MET
    assert judge(parse_slo("foreign_text<2"), Exact(2)).verdict is SloVerdict.MISSED


def test_minimum_and_maximum_are_what_happened_at_any_n() -> None:
    assert judged("eos_latency:min<1s", [EARLY, LATE]).verdict is SloVerdict.MET
    assert judged("eos_latency:max<1s", [EARLY, LATE]).verdict is SloVerdict.MISSED
    assert judged("eos_latency:max<1s", []).verdict is SloVerdict.UNDECIDED


def test_a_mean_is_judged_by_a_bootstrap_and_needs_five_values() -> None:
    assert judged("eos_latency:mean<1s", [EARLY] * 4).verdict is SloVerdict.UNDECIDED
    assert judged("eos_latency:mean<1s", [EARLY] * 4).n_needed == 5
    assert judged("eos_latency:mean<1s", [EARLY] * 5).verdict is SloVerdict.MET
    close = judged("eos_latency:mean<1s", [EARLY, LATE] * 20 + [EARLY])
    assert (close.verdict, close.seems_met) == (SloVerdict.UNDECIDED, True)
    assert judged("eos_latency:mean<1s", [EARLY] * 10 + [LATE] * 40).verdict is SloVerdict.MISSED


STAGES = 400
SLACK = 0.03


@pytest.mark.parametrize("n", [20, 59, 200])
@pytest.mark.parametrize("late_share", [0.05, 0.07])
def test_a_server_that_is_late_too_often_passes_unmarked_in_at_most_one_of_twenty_stages(
    n: int, late_share: float
) -> None:
    rng = random.Random(n)
    verdicts = [
        judged("eos_latency:p95<1s", [LATE if rng.random() < late_share else EARLY for _ in range(n)]).verdict
        for _ in range(STAGES)
    ]
    assert verdicts.count(SloVerdict.MET) <= (0.05 + SLACK) * STAGES


@pytest.mark.parametrize("n", [20, 59, 200])
@pytest.mark.parametrize("late_share", [0.03, 0.0499])
def test_a_server_that_is_seldom_late_fails_in_at_most_one_of_twenty_stages(n: int, late_share: float) -> None:
    rng = random.Random(n)
    verdicts = [
        judged("eos_latency:p95<1s", [LATE if rng.random() < late_share else EARLY for _ in range(n)]).verdict
        for _ in range(STAGES)
    ]
    assert verdicts.count(SloVerdict.MISSED) <= (0.05 + SLACK) * STAGES


@pytest.mark.parametrize("n", [20, 200, 600])
@pytest.mark.parametrize(("true_rate", "wrong"), [(0.01, SloVerdict.MET), (0.0099, SloVerdict.MISSED)])
def test_an_error_rate_at_its_bound_is_misjudged_in_at_most_one_of_twenty_stages(
    n: int, true_rate: float, wrong: SloVerdict
) -> None:
    rng = random.Random(n)
    slo = parse_slo("error_rate<1%")
    verdicts = [judge(slo, Share(sum(rng.random() < true_rate for _ in range(n)), n)).verdict for _ in range(STAGES)]
    assert verdicts.count(wrong) <= (0.05 + SLACK) * STAGES

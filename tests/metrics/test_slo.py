"""What can be written as an objective, and what comes of it."""

import math

import pytest

from stt_load.errors import ConfigError
from stt_load.kinds import KINDS
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import SloVerdict, judge, parse_slo

P95 = parse_slo("eos_latency:p95<1s")
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
    assert P95.percentile == pytest.approx(0.95)
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


@pytest.mark.parametrize(
    ("early", "late", "verdict", "few"),
    [
        (59, 0, SloVerdict.MET, False),
        (57, 2, SloVerdict.MET, False),  # the 57th of 59 is the p95
        (56, 3, SloVerdict.MISSED, False),
        (3, 0, SloVerdict.MET, True),
        (24, 1, SloVerdict.MET, True),  # the 24th of 25 is the p95
        (23, 2, SloVerdict.UNDECIDED, True),
        (22, 3, SloVerdict.UNDECIDED, True),
        (21, 4, SloVerdict.UNDECIDED, True),
        (20, 5, SloVerdict.MISSED, True),  # 5 of 25 late happens in less than 2.5 % where p95 is met
        (2, 1, SloVerdict.UNDECIDED, True),
        (0, 2, SloVerdict.MISSED, True),
        (0, 1, SloVerdict.UNDECIDED, True),
        (0, 0, SloVerdict.UNDECIDED, True),
    ],
)
def test_a_percentile_over_few_values_decides_only_what_more_would_hardly_change(
    early: int, late: int, verdict: SloVerdict, few: bool
) -> None:
    result = judge(P95, Distribution.of([EARLY] * early + [LATE] * late))
    assert (result.verdict, result.few, result.n) == (verdict, few, early + late)
    assert result.n_needed == 59


def test_utterances_that_failed_count_as_later_than_any_bound() -> None:
    result = judge(P95, Distribution.of([EARLY] * 60), without=40)
    assert (result.verdict, result.value, result.n) == (SloVerdict.MISSED, math.inf, 100)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.0, SloVerdict.MET), (0.01, SloVerdict.MISSED), (0.02, SloVerdict.MISSED), (None, SloVerdict.UNDECIDED)],
)
def test_a_ratio_is_held_against_a_strict_bound(value: float | None, verdict: SloVerdict) -> None:
    assert judge(parse_slo("error_rate<1%"), value).verdict is verdict


def test_a_bound_that_is_not_strict_is_met_by_itself() -> None:
    assert judge(parse_slo("foreign_text<=2"), 2).verdict is SloVerdict.MET


def test_mean_and_maximum_are_judged_at_any_n() -> None:
    values = Distribution.of([EARLY, LATE])
    assert judge(parse_slo("eos_latency:mean<=1s"), values).verdict is SloVerdict.MET
    assert judge(parse_slo("eos_latency:max<1s"), values).verdict is SloVerdict.MISSED
    assert judge(parse_slo("eos_latency:max<1s"), Distribution()).verdict is SloVerdict.UNDECIDED

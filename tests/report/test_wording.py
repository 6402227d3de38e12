"""The sentences that people read about objectives, conditions and the knee."""

from __future__ import annotations

import pytest
from made_run import made_run, utterance

from stt_load.kinds import STREAM, UPLOAD
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import judge, parse_slo
from stt_load.report.build import build_report
from stt_load.report.wording import at_callers, callers, judged, knee_sentence, sampled

FAST, SLOW = 0.5, 1.5


@pytest.mark.parametrize(
    ("slo", "measured", "without", "says"),
    [
        ("eos_latency:p95<1s", [FAST] * 60, 0, "eos_latency p95 0.500 s meets < 1s"),
        ("eos_latency:p95<=800ms", [SLOW] * 60, 0, "eos_latency p95 1.500 s misses <= 800ms"),
        (
            "eos_latency:p95<1s",
            [SLOW],
            0,
            "eos_latency p95 1.500 s can't be judged against < 1s: 1 of the 59 utterances needed",
        ),
        (
            "eos_latency:p95<1s",
            [FAST] * 60,
            40,
            "eos_latency p95 failed: the utterance at that percentile did not complete (SLO < 1s)",
        ),
        ("eos_latency:mean<1s", [], 0, "eos_latency:mean<1s can't be judged: nothing was measured"),
        ("rtf:p50<1", [0.25] * 9, 0, "rtf p50 0.250 meets < 1"),
    ],
)
def test_a_result_is_one_clause(slo: str, measured: list[float], without: int, says: str) -> None:
    assert judged(judge(parse_slo(slo), Distribution.of(measured), without)) == says


@pytest.mark.parametrize(
    ("slo", "value", "says"),
    [("error_rate<1%", 0.017, "error_rate 1.7 % misses < 1%"), ("foreign_text<1", 0, "foreign_text 0 meets < 1")],
)
def test_a_ratio_is_read_in_percent_and_a_count_as_a_number(slo: str, value: float, says: str) -> None:
    assert judged(judge(parse_slo(slo), value)) == says


def test_the_knee_says_how_many_are_held_and_why_more_are_not() -> None:
    made = made_run(ladder=(1, 5), knee_at=100)
    assert knee_sentence(build_report(made.run, made.transitions, [made.utterances]).knee) == (
        "holds 5 callers, the most that were tried: the limit is higher"
    )
    made.transitions[6]["generator_cpu_pct"] = 97.0  # the grace of the second stage
    assert knee_sentence(build_report(made.run, made.transitions, [made.utterances]).knee) == (
        "holds 1 caller; 5 callers can't be judged: the busiest load process used 97 % of one core"
    )
    late = [utterance(0, 1, eos_latency_s=2.0) for _ in range(80)]
    assert knee_sentence(build_report(made.run, made.transitions[:4], [late]).knee) == (
        "no stage passes; at 1 eos_latency p95 2.000 s misses < 1s"
    )
    assert knee_sentence(build_report(made.run, made.transitions[:4], []).knee) == (
        "no stage passes; 1 caller can't be judged: nothing was counted"
    )


def test_callers_have_the_name_of_their_kind_of_load() -> None:
    assert [callers(1), callers(2, STREAM), callers(2, UPLOAD)] == ["1 caller", "2 callers", "2 concurrent requests"]
    assert [at_callers([1], STREAM), at_callers([5, 10], UPLOAD)] == ["at 1 caller", "at 5, 10 concurrent requests"]


@pytest.mark.parametrize(
    ("coverage", "text"),
    [(None, "62?"), (0.49, "lost"), (0.5, "62?"), (0.89, "62?"), (0.9, "62"), (1.0, "62")],
)
def test_a_figure_of_samples_is_marked_by_its_coverage(coverage: float | None, text: str) -> None:
    assert sampled("62", coverage) == text

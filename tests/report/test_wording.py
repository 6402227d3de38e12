"""The sentences that people read about objectives, conditions and the knee."""

from __future__ import annotations

import re

import pytest
from made_run import MadeRun, made_run, utterance

from stt_load.kinds import STREAM, UPLOAD
from stt_load.metrics.estimates import Estimate, Exact, Resampled, Share, of_distribution
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.slo import judge, parse_slo
from stt_load.report.build import build_report
from stt_load.report.failure_table import failure_rows
from stt_load.report.html import report_html
from stt_load.report.resources import resource_table
from stt_load.report.table import explanations, rows
from stt_load.report.wording import at_callers, callers, judged, knee_sentence, sampled, stage_names

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
            "eos_latency p95 1.500 s misses < 1s, but 1 utterance doesn't prove it: that needs about 59",
        ),
        (
            "eos_latency:p95<1s",
            [FAST] * 20,
            0,
            "eos_latency p95 0.500 s meets < 1s, but 20 utterances don't prove it: that needs about 59",
        ),
        (
            "eos_latency:p95<1s",
            [FAST] * 19 + [SLOW],
            0,
            "eos_latency p95 0.500 s meets < 1s, but 20 utterances don't prove it: it is too close for any number",
        ),
        (
            "eos_latency:p95<1s",
            [FAST] * 40,
            4,
            "eos_latency p95 of a failed utterance misses < 1s, but 44 utterances don't prove it: that needs about 77",
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
    parsed = parse_slo(slo)
    assert judged(judge(parsed, of_distribution(Distribution.of(measured), str(parsed.statistic), without))) == says


@pytest.mark.parametrize(
    ("slo", "measured", "says"),
    [
        ("error_rate<1%", Share(17, 1_000), "error_rate 1.7 % misses < 1%"),
        ("foreign_text<1", Exact(0), "foreign_text 0 meets < 1"),
        (
            "wer_delta<5%",
            Resampled(0.021, None, None, 2, compares=True),  # of two clips, which bound nothing
            "wer_delta 2.1 % meets < 5%, but 2 utterances don't prove it: "
            "that needs about 110, of 5 or more clips, here and in the first stage",
        ),
    ],
)
def test_a_ratio_is_read_in_percent_and_a_count_as_a_number(slo: str, measured: Estimate, says: str) -> None:
    assert judged(judge(parse_slo(slo), measured)) == says


def sentence(made: MadeRun) -> str:
    return knee_sentence(build_report(made.run, made.transitions, [made.utterances]).knee)


def test_the_knee_says_how_many_are_held_and_how_far_that_was_tried() -> None:
    made = made_run(ladder=(1, 5), knee_at=100)
    made.run["slos"] = ["eos_latency:p95<1s"]
    assert sentence(made) == "holds 5 callers; nothing above 5 was tried"
    made.run["slos"].append("error_rate<1%")
    assert sentence(made) == "holds 5 callers, not proven by 80 utterances; nothing above 5 was tried"


def test_the_knee_says_why_more_are_not_held() -> None:
    made = made_run(ladder=(1, 5), knee_at=100)
    made.run["slos"] = ["eos_latency:p95<1s"]
    made.transitions[6]["generator_cpu_pct"] = 97.0  # the grace of the second stage
    assert sentence(made) == "holds 1 caller; 5 callers can't be judged: the busiest load process used 97 % of one core"
    made.transitions = made.transitions[:4] + made.transitions[-1:]
    made.transitions[-1] |= {"stage": 0, "users": 1, "delivery": {}}
    made.utterances = [utterance(0, 1, eos_latency_s=2.0) for _ in range(80)]
    assert sentence(made) == "no stage passes; at 1 eos_latency p95 2.000 s misses < 1s"
    both = made_run(ladder=(1, 5), knee_at=100)
    both.run["slos"] = ["eos_latency:p95<1s"]
    both.transitions[2]["generator_cpu_pct"] = 97.0  # the grace of the first stage
    assert sentence(both) == (
        "the smallest stage does not pass, though a larger one does; "
        "1 caller can't be judged: the busiest load process used 97 % of one core"
    )
    made.utterances = []
    for row in made.transitions:
        row["begun"] = row["ended"] = 0
    assert sentence(made) == "no stage passes; 1 caller can't be judged: nothing was counted"


def test_a_run_that_was_ended_in_its_first_settle_claims_nothing_beyond_its_one_utterance() -> None:
    made = made_run(ladder=(1,), per_stage=1)
    made.transitions[-1]["aborted"] = True
    assert sentence(made) == (
        "holds 1 caller, not proven by 1 utterance; nothing above 1 was tried; the run ended early at 1 caller"
    )


def test_a_run_that_was_killed_or_ended_above_its_knee_says_where() -> None:
    made = made_run(ladder=(1, 30, 40), knee_at=20)
    made.run["slos"] = ["eos_latency:p95<1s"]
    made.transitions[-1]["aborted"] = True
    aborted = sentence(made)
    assert aborted.startswith("holds 1 caller; at 30 eos_latency p95")
    assert aborted.endswith("misses < 1s; the run ended early at 40 callers")
    made.transitions = made.transitions[:-1]
    assert sentence(made) == aborted


def test_stages_with_as_many_callers_as_another_are_told_apart_by_their_number() -> None:
    assert stage_names({0: 3, 1: 5, 3: 3}) == {0: "3 (stage 1)", 1: "5", 3: "3 (stage 4)"}
    made = made_run(ladder=(3, 5, 3), per_stage=60)
    began, ended = made.span(2)
    made.drop_samples(began + 1, began + (ended - began) / 2)
    made.utterances[0].outcome, made.utterances[0].error = "refused", "HTTP 503"
    report = build_report(made.run, made.transitions, [made.utterances])
    assert [row[0] for row in rows(report)] == ["3 (stage 1)", "5", "3 (stage 3)"]
    (intervals,) = [line for line in explanations(report) if "interval of WER%" in line]
    assert re.fullmatch(
        r"95 % interval of WER%: \S+ at 3 \(stage 1\), \S+ at 5, \S+ at 3 \(stage 3\) callers\.", intervals
    )
    alone = made_run(ladder=(1,), per_stage=60)
    (interval,) = [
        line
        for line in explanations(build_report(alone.run, alone.transitions, [alone.utterances]))
        if "interval of WER%" in line
    ]
    assert interval.endswith(" at 1 caller.")
    assert [row[0] for row in failure_rows(report)] == ["3 (stage 1)"]
    table = resource_table(report)
    assert table is None or {row[0] for row in table.rows} <= {"3 (stage 1)", "5", "3 (stage 3)"}
    page = report_html(report, ())
    assert '<th scope="row">3 (stage 3)</th>' in page and "at 3 callers (stage 3): " in page


def test_callers_have_the_name_of_their_kind_of_load() -> None:
    assert [callers(1), callers(2, STREAM), callers(2, UPLOAD)] == ["1 caller", "2 callers", "2 concurrent requests"]
    assert [callers("1 (stage 2)"), callers("2 (stage 2)")] == ["1 caller (stage 2)", "2 callers (stage 2)"]
    assert at_callers(["1", "3 (stage 1)", "3 (stage 4)"], STREAM) == "at 1, 3 (stage 1), 3 (stage 4) callers"
    assert at_callers(["3 (stage 1)"], STREAM) == "at 3 callers (stage 1)"
    assert [at_callers([1], STREAM), at_callers([5, 10], UPLOAD)] == ["at 1 caller", "at 5, 10 concurrent requests"]


@pytest.mark.parametrize(
    ("coverage", "text"),
    [(None, "62?"), (0.49, "lost"), (0.5, "62?"), (0.89, "62?"), (0.9, "62"), (1.0, "62")],
)
def test_a_figure_of_samples_is_marked_by_its_coverage(coverage: float | None, text: str) -> None:
    assert sampled("62", coverage) == text

"""Parts and wholes by caller, which are together what the figures of the stage are."""

from __future__ import annotations

import random

import pytest
from made_run import TEXTS, utterance

from stt_load.capacity.caller_counts import CallerTally
from stt_load.capacity.trial import allowed_share
from stt_load.metrics.slo import parse_slo
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.records import UtteranceRecord

TEXTS_WITH_SHARE = (
    "eos_latency:p95<1s",
    "connect:p50<2ms",
    "eos_latency:mean<1s",
    "error_rate<1%",
    "wer<10%",
    "wer_all<10%",
    "cer<10%",
    "cut_early_rate<10%",
    "split_rate<10%",
    "eager_end_rate<10%",
    "endpointing_delay:p95<1s",
)


def stage_of(records: list[UtteranceRecord]) -> StageFigures:
    stats = StageStats(0, 4)
    stats.add(records)
    return stats.close()


@pytest.fixture
def records() -> list[UtteranceRecord]:
    drawn = random.Random(5)
    outcomes = ["ok"] * 6 + ["timed_out", "refused", "interrupted"]
    return [
        utterance(
            0,
            4,
            index,
            outcome=drawn.choice(outcomes),
            eos_latency_s=drawn.uniform(0.2, 1.4),
            connect_s=drawn.choice([0.001, 0.003, None]),
            text=drawn.choice(TEXTS),
            phase=drawn.choice(["hold", "hold", "ramp"]),
            endpointing_delay_s=drawn.choice([0.3, 1.3, None]),
            cut_early=drawn.choice([True, False, None]),
            turns=drawn.choice([1, 2]),
            eager_turn_ends=drawn.choice([[1.0], [], None]),
        )
        for index in range(120)
    ]


@pytest.mark.parametrize("text", TEXTS_WITH_SHARE)
def test_shares_are_the_figures_of_the_stage(text: str, records: list[UtteranceRecord]) -> None:
    slo, tally = parse_slo(text), CallerTally([parse_slo(text)])
    tally.add(records)
    counts, figures = tally.close()[text], stage_of(records)
    estimate = figures.estimate(slo.figure, slo.statistic)
    assert estimate is not None and estimate.value is not None
    assert len(counts.parts) == 4
    share, allowed = counts.share, allowed_share(slo)
    assert share is not None and allowed is not None
    if slo.percentile is None:
        assert share == pytest.approx(estimate.value)
    else:
        assert (share <= allowed) == slo.is_met_by(estimate.value)
        assert counts.wholes.sum() == estimate.n


def test_callers_of_two_workers_are_two_callers() -> None:
    tally = CallerTally([parse_slo("error_rate<1%")])
    tally.add([utterance(0, 1), utterance(0, 1, worker=1, outcome="timed_out"), utterance(0, 1)])
    counts = tally.close()["error_rate<1%"]
    assert (counts.parts.tolist(), counts.wholes.tolist()) == ([0, 1], [2, 1])


def test_every_objective_has_the_same_callers() -> None:
    tally = CallerTally([parse_slo("error_rate<1%"), parse_slo("eos_latency:mean<1s"), parse_slo("wer_delta<5%")])
    tally.add([utterance(0, 2), utterance(0, 2, 1, outcome="refused")])
    counts = tally.close()
    assert list(counts) == ["error_rate<1%", "eos_latency:mean<1s"]
    assert counts["eos_latency:mean<1s"].wholes.tolist() == [1, 0]


def test_a_latency_that_a_failed_utterance_does_not_have_is_late() -> None:
    tally = CallerTally([parse_slo("eos_latency:p95<1s")])
    tally.add([utterance(0, 1), utterance(0, 1, outcome="refused", eos_latency_s=None)])
    counts = tally.close()["eos_latency:p95<1s"]
    assert (counts.share, counts.failed) == (0.5, 1)


def test_without_utterances_there_are_no_counts() -> None:
    tally = CallerTally([parse_slo("error_rate<1%"), parse_slo("wer<5%")])
    tally.add([utterance(0, 1, phase="ramp"), utterance(0, 1, outcome="interrupted")])
    assert tally.close() == {}

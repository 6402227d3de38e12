"""Drift over hours: by how much servers get worse that do so by a known amount, and what can't be told."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from stt_load.metrics.drift import Axis, Drift, DriftVerdict, DriftWatch
from stt_load.records import UtteranceRecord

BEGAN = 1_790_000_000.0
HOURS = 8
ROW = UtteranceRecord(
    run_id="r", worker=0, user=0, stage=0, phase="hold", users=5, clip_id="c", reference="a", outcome="ok"
)

Change = Callable[[random.Random, float, UtteranceRecord], UtteranceRecord]


def drifts(change: Change, n: int = 8_000, hours: float = HOURS) -> dict[tuple[str, Axis], Drift]:
    """The drifts of so many utterances, evenly over the hours. `change`: makes one of its age in hours."""
    rng, watch = random.Random(1), DriftWatch(BEGAN)
    for at in range(n):
        age_h = hours * at / n
        row = replace(ROW, started_at=BEGAN + 3_600 * age_h, eos_latency_s=rng.lognormvariate(-0.9, 0.2))
        watch.add([change(rng, age_h, replace(row, reference_words=10, substitutions=0))])
    return {(drift.name, drift.axis): drift for drift in watch.close()}


def steady(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
    return replace(row, substitutions=int(rng.random() < 0.1), eos_latency_s=rng.uniform(0.35, 0.45))


def slower(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
    return replace(row, eos_latency_s=(row.eos_latency_s or 0) + 0.02 * age_h)


def wronger(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
    return replace(row, substitutions=sum(rng.random() < 0.05 + 0.01 * age_h for _ in range(10)))


def failing(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
    return replace(row, outcome="no_final", eos_latency_s=None) if rng.random() < 0.01 * age_h else row


def failing_seldom(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
    """Two of a hundred at the end, none at the beginning: most bins have no failure."""
    return replace(row, outcome="no_final", eos_latency_s=None) if rng.random() < 0.0025 * age_h else row


def failing_once(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
    return replace(row, outcome="no_final", eos_latency_s=None) if 5.0 <= age_h < 5.08 else row


@pytest.mark.parametrize("n", [3_000, 8_000])
def test_a_share_that_is_0_in_most_bins_drifts_all_the_same(n: int) -> None:
    drift = drifts(failing_seldom, n)["failed", Axis.RUN]
    assert drift.change is not None
    assert drift.verdict is DriftVerdict.DRIFT and drift.change[1] < 0.02 < drift.change[2]


def test_a_bad_moment_is_no_drift_and_few_utterances_without_a_failure_prove_nothing() -> None:
    assert drifts(failing_once, 3_000)["failed", Axis.RUN].verdict is not DriftVerdict.DRIFT
    assert drifts(steady, 1_900)["failed", Axis.RUN].verdict is DriftVerdict.UNKNOWN


def test_a_server_that_stays_as_it_is_does_not_drift() -> None:
    found = drifts(steady)
    assert {drift.verdict for drift in found.values()} == {DriftVerdict.NONE}
    assert {axis for _, axis in found} == {Axis.RUN}, "each of these connections carried one utterance"


@pytest.mark.parametrize(
    ("change", "name", "per_hour"),
    [
        (slower, "latency p50", 0.02),
        (slower, "latency p95", 0.02),
        (wronger, "word error rate", 0.01),
        (failing, "failed", 0.01),
    ],
)
def test_a_drift_is_found_with_its_size(change: Change, name: str, per_hour: float) -> None:
    drift = drifts(change)[name, Axis.RUN]
    assert drift.verdict is DriftVerdict.DRIFT
    assert drift.low is not None and drift.high is not None and drift.per_hour is not None
    assert drift.low <= per_hour <= drift.high
    assert drift.per_hour == pytest.approx(per_hour, rel=0.15)
    assert drift.change is not None and drift.change[0] == pytest.approx(HOURS * per_hour, rel=0.2)


def test_a_small_change_among_much_noise_can_not_be_told() -> None:
    def noisy(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
        return replace(row, eos_latency_s=rng.lognormvariate(-0.9, 1.2) + 0.005 * age_h)

    assert drifts(noisy, 2_000)["latency p95", Axis.RUN].verdict is DriftVerdict.UNKNOWN
    few = drifts(steady, 150, hours=0.01)["latency p50", Axis.RUN]
    assert few.change is None and few.verdict is DriftVerdict.UNKNOWN


def test_a_connection_that_gets_slower_is_told_from_a_run_that_does() -> None:
    def ageing(rng: random.Random, age_h: float, row: UtteranceRecord) -> UtteranceRecord:
        age_s = rng.uniform(0, 1_800)
        return replace(row, connection_age_s=age_s, eos_latency_s=(row.eos_latency_s or 0) + 0.4 * age_s / 1_800)

    found = drifts(ageing)
    assert found["latency p50", Axis.RUN].verdict is not DriftVerdict.DRIFT
    aged = found["latency p50", Axis.CONNECTION]
    assert aged.verdict is DriftVerdict.DRIFT
    assert aged.per_hour == pytest.approx(0.8, rel=0.15)

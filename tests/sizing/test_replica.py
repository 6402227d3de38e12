"""What a run says of one replica, from made-up run folders."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_calls import made_calls
from made_run import MadeRun, made_run, made_speech, made_uploads
from made_samples import gpu_entry, sidecar_entry
from msgspec.structs import replace as changed

from stt_load.capacity.answer import CapacityAnswer, EdgeSide, Interval
from stt_load.errors import ConfigError, ExitCode
from stt_load.report.build import build_report
from stt_load.report.model import RunReport
from stt_load.sizing.replica import Replica, Unusable, latency_clause, read_replica, replica_of


def report_of(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def small_run(**arguments: Any) -> MadeRun:
    return made_run(**{"ladder": (1, 5, 10), "knee_at": 5, "per_stage": 60, **arguments})


@pytest.fixture(scope="module")
def with_samples() -> Replica:
    made = small_run(host=True)
    made.run |= {"gpu": [gpu_entry()], "sidecars": [sidecar_entry(machine={"cpu_model": "Made-up 9000", "cores": 8})]}
    for row in made.host:
        if row["kind"] == "process":
            row |= {"cpu_limit_cores": 2.0, "cpu_throttled_pct": 12.5}
    return replica_of(report_of(made), "made")


def test_k_is_the_knee_and_the_figures_are_those_of_its_stage(with_samples: Replica) -> None:
    assert (with_samples.holds, with_samples.at_users, with_samples.gpus) == (5, 5, 1)
    assert with_samples.source.startswith("the knee of the ladder; at 10 eos_latency p95")
    assert not with_samples.is_open_above
    assert with_samples.latency.keys() == {"eos_latency"}
    assert with_samples.duty is not None and 0 < with_samples.duty <= 1
    assert with_samples.joules_per_audio_min is not None
    assert with_samples.requests_per_s is with_samples.audio_s is None


def test_the_server_has_its_cpu_limit_and_how_often_it_was_held_back(with_samples: Replica) -> None:
    assert with_samples.cpu is not None
    assert (with_samples.cpu.limit_cores, with_samples.cpu.held_back) == (2.0, 0.125)
    assert 0 < with_samples.cpu.cores_mean <= with_samples.cpu.cores_p95
    assert with_samples.machine["server"] == [{"host": "gpu", "cpu_model": "Made-up 9000", "cores": 8}]


def test_few_utterances_prove_nothing(with_samples: Replica) -> None:
    assert not with_samples.is_proven
    assert "not proven (pass*): error_rate 0.0 %, utterances needed: about 299" in with_samples.proof


def test_a_ladder_that_never_broke_is_open_above() -> None:
    replica = replica_of(report_of(small_run(knee_at=50)), "made")
    assert replica.is_open_above
    assert replica.source == "the knee of the ladder; nothing above 10 was tried"


def test_uploads_and_speech_have_requests_a_second() -> None:
    upload = replica_of(report_of(made_uploads()), "made")
    assert (upload.holds, upload.duty, upload.latency.keys()) == (4, None, {"total"})
    assert upload.requests_per_s == pytest.approx(2.0)
    speech = made_speech()
    speech.run["slos"] = ["rtf:p95<1"]
    assert replica_of(report_of(speech), "made").latency.keys() == {"total", "first_audio"}


def test_a_percentile_of_failed_utterances_is_none_of_the_survivors() -> None:
    made = small_run(ladder=(5,), per_stage=80, knee_at=50)
    made.run["slos"] = ["eos_latency:p50<1s"]
    made.utterances[:10] = [changed(record, outcome="refused", eos_latency_s=None) for record in made.utterances[:10]]
    latency = replica_of(report_of(made), "made").latency["eos_latency"]
    assert latency["p50"] is not None and math.isfinite(latency["p50"])
    assert latency["p99"] == math.inf
    assert latency_clause(latency, 80).endswith("P95 failed, P99 failed?")


def killed(made: MadeRun) -> None:
    del made.transitions[-1]


def aborted(made: MadeRun) -> None:
    made.transitions[-1]["aborted"] = True


def late_frames(made: MadeRun) -> None:
    made.utterances = [changed(record, frames_late=record.frames) for record in made.utterances]


def slow(made: MadeRun) -> None:
    made.utterances = [changed(record, eos_latency_s=9.0) for record in made.utterances]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (killed, "invalid; `stt-load report` says what to do"),
        (aborted, "aborted"),
        (late_frames, "invalid"),
        (slow, "holds nobody"),
    ],
)
def test_a_run_that_nothing_follows_from_ends_with_4(spoil: Any, why: str) -> None:
    made = small_run(ladder=(1, 2))
    spoil(made)
    with pytest.raises(Unusable, match=why) as raised:
        replica_of(report_of(made), "made")
    assert raised.value.exit_code == ExitCode.NOT_BELIEVABLE


def test_a_folder_that_is_none_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run folder"):
        read_replica(tmp_path / "nowhere")


def test_of_a_find_run_the_lower_end_of_the_interval_counts() -> None:
    report = report_of(small_run(knee_at=50))
    answer = CapacityAnswer(
        holds=10,
        interval=Interval(5, 12),
        binomial=None,
        held=EdgeSide(10, 3, 3),
        broke=EdgeSide(13, 0, 3),
        limited_by=(),
        missed=(),
        turn=None,
        curves=(),
        why_over=None,
        invalid_at=None,
        trials=6,
    )
    replica = replica_of(replace(report, capacity=answer), "made")
    assert (replica.holds, replica.at_users) == (5, 10)  # figures are those of the trials that were repeated
    assert "the lower end of the interval of `stt-load find`, 5 to 12; its answer is 10" in replica.source


def test_an_open_loop_says_nothing_of_callers() -> None:
    with pytest.raises(Unusable, match="calls: its stages are rates of calls, not callers: give a ladder"):
        replica_of(report_of(made_calls()), "calls")

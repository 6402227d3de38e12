"""The wall clocks of master, worker and sidecar are set in mid-run by libfaketime, each by itself: an hour forward, an
hour back."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from runs import (
    EASY_SLOS,
    STT_LOAD,
    StartSink,
    assert_ends_with,
    rows,
    run_folder,
    start_apart,
    summary,
    wait_for_hold,
)
from stand_in import StandInSmi, dmon_row, sidecar

pytestmark = pytest.mark.locust

NEAR_S = 60.0  # of a run that takes seconds: an hour is far
LIBRARIES = [os.environ.get("LIBFAKETIME", ""), *map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))]


def faked_time(file: Path) -> dict[str, str]:
    """The environment of processes whose wall clock is as far off as the file says, their monotonic clock not."""
    library = next((place for place in LIBRARIES if place and Path(place).exists()), None)
    if library is None:
        pytest.skip("libfaketime is not installed (Debian: faketime)")
    file.write_text("+0")
    settings = {
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return {"LD_PRELOAD": library, **settings}


STEPS = (  # what each process's wall clock is off by from the hold of a stage on, in seconds
    {"master": "+3600", "sidecar": "-3600"},
    {"worker": "-3600"},
    {"master": "-3600", "worker": "+3600", "sidecar": "+3600"},
)


def test_nothing_moves(start_sink: StartSink, tmp_path: Path, smi: StandInSmi) -> None:
    results = tmp_path / "results"
    clocks = {who: tmp_path / f"clock of the {who}" for who in ("master", "worker", "sidecar")}
    fakes = {who: faked_time(file) for who, file in clocks.items()}
    with ExitStack() as stack:
        gpus = stack.enter_context(sidecar({**smi.environment, **fakes["sidecar"]}))
        line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1,2,3", "--hold", "2s"]
        line += ["--settle", "0s", "--gpu-sidecar", gpus.url, "--results", str(results), *EASY_SLOS]
        run, _ = start_apart(stack, line, tmp_path, fakes["master"], fakes["worker"])
        for stage, steps in enumerate(STEPS):
            wait_for_hold(results, stage, run)
            smi.feed(dmon_row(40, 1800))
            for who, step in steps.items():
                clocks[who].write_text(step)
            smi.feed(dmon_row(60, 1900))
        assert_ends_with(0, run, results)
        assert gpus.get("/healthz").json()["clock"]["wall"] > time.time() + 3000, "its clock was not set"
    transitions = rows(run_folder(results) / "stages.jsonl")
    began = transitions[0]
    for row in transitions:
        assert row["t"] - began["t"] == pytest.approx(row["mono"] - began["mono"])
    assert (transitions[-1]["reason"], transitions[-1]["delivery"]["workers_lost"]) == ("all stages done", 0)
    assert [row["reason"] for row in transitions if row["phase"] == "hold"] == ["target reached"] * 3
    for stage in summary(results)["stages"]:
        assert 0.1 < stage["duty_cycle"] <= 1.0
        assert stage["eos_latency_s"]["min"] > 0
    for name, moment in (("utterances.jsonl", "started_at"), ("gpu.jsonl", "t"), ("host.jsonl", "t")):
        found = rows(run_folder(results) / name)
        assert {row["stage"] for row in found} == {0, 1, 2}, name
        assert all(began["t"] - NEAR_S < row[moment] < transitions[-1]["t"] + NEAR_S for row in found), name

"""The wall clock of every process of a run is set in mid-run by libfaketime: an hour forward, back, and right again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from runs import (
    EASY_SLOS,
    STT_LOAD,
    Run,
    StartSink,
    assert_ends_with,
    rows,
    run_folder,
    summary,
    two_processes,
    wait_for_hold,
)

pytestmark = pytest.mark.locust

LIBRARIES = [os.environ.get("LIBFAKETIME", ""), *map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))]


def faked_time(file: Path) -> dict[str, str]:
    """The environment of processes whose wall clock is as far off as the file says, their monotonic clock not."""
    library = next((place for place in LIBRARIES if place and Path(place).exists()), None)
    if library is None:
        pytest.skip("libfaketime is not installed (Debian: faketime)")
    file.write_text("+0")
    settings = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": library, **settings}


def test_nothing_moves(start_sink: StartSink, tmp_path: Path) -> None:
    results, clock = tmp_path / "results", tmp_path / "clock"
    environment = faked_time(clock)
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1,2,3", "--hold", "2s", "--settle", "0s"]
    with Run([*line, *EASY_SLOS, "--results", str(results), *two_processes()], tmp_path, environment) as run:
        for stage, step in enumerate(("+3600", "-3600", "+0")):
            wait_for_hold(results, stage, run)
            clock.write_text(step)
        assert_ends_with(0, run, results)
    transitions = rows(run_folder(results) / "stages.jsonl")
    began = transitions[0]
    for row in transitions:
        assert row["t"] - began["t"] == pytest.approx(row["mono"] - began["mono"])
    assert (transitions[-1]["reason"], transitions[-1]["delivery"]["workers_lost"]) == ("all stages done", 0)
    assert [row["reason"] for row in transitions if row["phase"] == "hold"] == ["target reached"] * 3
    for stage in summary(results)["stages"]:
        assert 0.1 < stage["duty_cycle"] <= 1.0
        assert stage["eos_latency_s"]["min"] > 0

"""Somebody stands still in the hold: the generator, while only utterances speak that don't count; the server, while
those that count wait for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from runs import (
    STT_LOAD,
    THE_MACHINES,
    Run,
    broken_conditions,
    rows,
    run_folder,
    stand_still,
    summary,
    wait_for,
    wait_for_hold,
)

from stt_load.clips.folder import write_folder
from stt_load.clips.library import default_clips
from stt_load.server.process import start_sink_server

pytestmark = pytest.mark.locust

CALLERS = 4
CLIP_S = 1.6
FROZEN_S = 0.8
PACING = "pacing lag p99 ≤ 10 ms"


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips that are longer than the hold and the freeze in it."""
    clips = [
        replace(clip, samples=clip.samples[: int(CLIP_S * 16_000)], speech_end_s=CLIP_S, words=())
        for clip in default_clips(16_000).clips
        if clip.duration_s > CLIP_S
    ]
    assert len(clips) >= CALLERS
    folder = tmp_path_factory.mktemp("clips") / "long"
    write_folder(folder, clips, {"engine": "test"})
    return folder


def line_of(url: str, clips: Path, results: Path, hold: str, *more: str) -> list[str]:
    line = [*STT_LOAD, "run", "--stt-url", url, "--dialect", "vosk", "--end", "client", "--clips", str(clips)]
    line += ["--concurrency", str(CALLERS), "--hold", hold, "--settle", "0s", "--gpu-sidecar", "off"]
    return [*line, "--slo", "wer<200%", "--results", str(results), *more]


def test_a_generator_that_stands_still_in_the_hold_is_not_believed_though_no_counted_frame_is_late(
    long_clips: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with (
        start_sink_server(0.1, "some words") as sink,
        Run(line_of(sink.url, long_clips, results, "1s", "--slo", "eos_latency:p95<60s"), tmp_path) as run,
    ):
        wait_for_hold(results, 0, run)
        stand_still(run.process.pid, FROZEN_S)
        assert run.wait() == 4, run.output
        run.wait_until_nothing_is_left()
    assert PACING in broken_conditions(results)
    utterances = rows_so_far(results)
    counted = [row for row in utterances if row["phase"] == "hold"]
    assert {row["user"] for row in counted} == set(range(CALLERS)), "in a hold of one second"
    assert sum(row["frames_late"] for row in utterances) >= 5
    if sum(row["frames_late"] for row in counted) <= 0.01 * sum(row["frames"] for row in counted):  # it came in time
        (stage,) = summary(results)["stages"]
        (finding,) = [condition for condition in stage["validity"] if condition["condition"] == PACING]
        assert "of the frames that were due in the hold" in finding["detail"]


def test_a_server_that_stands_still_while_counted_utterances_wait_misses_the_objective(
    short_clips: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with (
        start_sink_server(0.1, "some words") as sink,
        Run(line_of(sink.url, short_clips, results, "2s", "--slo", "eos_latency:p95<0.3s"), tmp_path) as run,
    ):
        wait_for_hold(results, 0, run)
        wait_for(lambda: "hold" in {row["phase"] for row in rows_so_far(results)}, "a counted utterance", run)
        stand_still(sink.pid, FROZEN_S)
        assert run.wait() in (3, 4), run.output
        run.wait_until_nothing_is_left()
    assert broken_conditions(results) <= THE_MACHINES
    (stage,) = summary(results)["stages"]
    assert stage["eos_latency_s"]["max"] > 0.3


def rows_so_far(results: Path) -> list[dict]:
    return rows(run_folder(results) / "utterances.jsonl")

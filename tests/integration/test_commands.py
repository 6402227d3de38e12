"""`stt-load probe` and `stt-load demo` as a new user meets them."""

from __future__ import annotations

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
    wait_for_hold,
)

pytestmark = pytest.mark.locust

SHORT_DEMO = [*STT_LOAD, "demo", "--concurrency", "1,2", "--hold", "2s", "--settle", "0s", "--at-least", "1"]


def test_probe_shows_every_message_and_what_a_run_would_use(start_sink: StartSink, tmp_path: Path) -> None:
    with Run([*STT_LOAD, "probe", "--stt-url", start_sink().url], tmp_path) as run:
        assert run.wait() == 0, run.output
    for words in (
        '< {"status":"queued"}   (SegmentPending)',
        "(Final)",
        "> first frame sent",
        "> last frame sent",
        "outcome           ok",
        "96 ms instead of 100 ms",
        "as soon as every queued segment has its text",
        "WER               0.0 %",
        "kernel receive stamps",
    ):
        assert words in run.output, words


def test_probe_of_a_silent_server_says_what_to_try(start_sink: StartSink, tmp_path: Path) -> None:
    line = [*STT_LOAD, "probe", "--stt-url", start_sink(fault="stall").url, "--timeout", "1"]
    with Run(line, tmp_path) as run:
        assert run.wait() == 3, run.output
    assert "timed_out" in run.output
    assert "perhaps the server speaks another dialect" in run.output


def test_verbose_tells_every_message_of_every_caller(start_sink: StartSink, tmp_path: Path) -> None:
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "2", "--rounds", "1", "--verbose"]
    results = tmp_path / "results"
    with Run([*line, "--results", str(results), *EASY_SLOS], tmp_path) as run:
        assert_ends_with(0, run, results)
    for caller in (0, 1):
        said = [line for line in run.output.splitlines() if f"worker 0 caller {caller} " in line]
        assert sum("3072 bytes" in line for line in said) == rows_frames(results, caller)
        assert any("from end of speech" in line and '{"text"' in line for line in said)


def rows_frames(results: Path, caller: int) -> int:
    return sum(row["frames"] for row in rows(run_folder(results) / "utterances.jsonl") if row["user"] == caller)


def test_the_demo_recognises_real_speech_and_leaves_nothing_running(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with Run([*SHORT_DEMO, "--results", str(results), *EASY_SLOS], tmp_path) as run:
        wait_for_hold(results, 0, run)
        assert run.note_family(), "the demo runs its server and Locust as children"
        assert_ends_with(0, run, results)
        run.wait_until_nothing_is_left()
    heard = [row for row in rows(run_folder(results) / "utterances.jsonl") if row["outcome"] == "ok"]
    assert sum(row["wer"] for row in heard) / len(heard) < 0.3
    assert all({"queue", "decode", "vad"} <= set(row["server_ms"]) for row in heard)
    assert [stage["users"] for stage in summary(results)["stages"]] == [1, 2]
    costs = [row for row in rows(run_folder(results) / "host.jsonl") if row["kind"] == "process"]
    assert costs[-1]["processes"] > 1  # the server and its decoders
    assert costs[-1]["rss_mib"] > 0
    assert not (run_folder(results) / "gpu.jsonl").exists()
    assert "nvidia-smi" not in run.output

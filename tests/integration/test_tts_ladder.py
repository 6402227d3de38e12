"""A ladder of streams against the embedded TTS server, with Locust in a process of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from runs import STT_LOAD, Run, assert_ends_with, rows, run_folder, summary
from servers.start import start_speech_stream

from stt_load.server.process import start_embedded_server

pytest.importorskip("espeakng_loader")
pytestmark = pytest.mark.locust


def test_a_ladder_of_streams_leaves_a_whole_folder_of_its_own_kind(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with start_embedded_server("--tts") as server:
        line = [*STT_LOAD, "tts", "--url", server.http_url, "--concurrency", "1,2", "--hold", "1s", "--at-least", "3"]
        line += [
            "--settle",
            "0s",
            "--arrival",
            "together",
            "--results",
            str(results),
            "--slo",
            "rtf:p95<60",
            "--slo",
            "error_rate<1%",
        ]
        with Run(line, tmp_path) as run:
            assert_ends_with(0, run, results)
    said = summary(results)
    assert (said["kind"], said["run"]["dialect"], said["run"]["normaliser"]) == ("tts", "tts-chatterbox", None)
    assert said["knee"]["sentence"].startswith("holds 2 concurrent streams")
    for stage in said["stages"]:
        assert stage["total_s"]["n"] == stage["rtf"]["n"] == stage["n"] >= 3
        assert stage["wer"] is None and stage["wer_all"] is None
    assert sum(stage["streamed"] for stage in said["stages"]) > 0
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert {(row["outcome"], row["kind"], row["wer"]) for row in utterances} == {("ok", "tts", None)}
    with (run_folder(results) / "stages.csv").open() as file:
        assert all(row["total_p50_s"] and row["underruns"] for row in csv.DictReader(file))
    assert "first audio" in run.output and "text to speech: how fast the server speaks" in run.output


def test_a_ladder_of_texts_that_are_fed_token_by_token_finds_what_the_server_does_wrong(tmp_path: Path) -> None:
    """The speech begins 0.25 s after the last token, halts once for 0.8 s, and makes a player run dry for that."""
    results = tmp_path / "results"
    flags = ("--like", "vllm", "--first", "0.25", "--word", "0.05", "--stall-at", "0.5", "--stall", "0.8")
    with start_speech_stream(*flags) as server:
        line = [*STT_LOAD, "tts", "--api", "vllm-omni", "--url", server.url, "--tokens-per-second", "60"]
        line += ["--concurrency", "1,40", "--rounds", "1", "--settle", "0s", "--ramp-rate", "40", "--results"]
        line += [str(results), "--slo", "after_text:p95<5s", "--slo", "underruns<1000"]
        with Run(line, tmp_path) as run:
            run.wait()
    said = summary(results)
    assert [stage["users"] for stage in said["stages"]] == [1, 40]
    for stage in said["stages"]:
        assert stage["n"] == stage["ok"] == stage["streamed"] >= stage["users"]
        assert stage["after_text_s"]["min"] >= 0.25
        assert stage["first_audio_s"]["min"] > stage["after_text_s"]["min"]
        assert stage["underruns"] >= stage["n"] and stage["gap_max_s"]["min"] >= 0.4
        assert stage["pacing_lag_s"]["p99"] is not None and stage["frames"] > 0
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert all(row["frames"] and row["text_s"] and row["pacing_lag_counts"] for row in utterances)
    assert "after text" in run.output

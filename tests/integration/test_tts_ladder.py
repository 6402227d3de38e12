"""A ladder of streams against the embedded TTS server, with Locust in a process of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from runs import STT_LOAD, Run, assert_ends_with, rows, run_folder, summary

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

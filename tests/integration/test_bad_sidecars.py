"""Who is asked beside a run, a GPU sidecar and a server's own metrics, and floods or never answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from raw_server import Caller, raw_server
from runs import EASY_SLOS, STT_LOAD, Run, StartSink, assert_ends_with, rows, run_folder
from servers.bad_vosk import flood

pytestmark = pytest.mark.locust


def test_a_sidecar_and_metrics_that_stall_or_flood_cost_a_run_their_figures_only(
    start_sink: StartSink, tmp_path: Path
) -> None:
    def flood_head(caller: Caller) -> None:
        caller.read_request()
        flood(b"HTTP/1.1 100 Continue\r\n\r\n")(caller)

    def flood_body(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        flood(b"vllm:num_requests_running 3\n")(caller)

    results = tmp_path / "results"
    with raw_server(flood_head) as heads, raw_server(flood_body) as bodies, raw_server(Caller.wait_for_end) as mute:
        heads_url, bodies_url, mute_url = (each.url.replace("ws", "http", 1) for each in (heads, bodies, mute))
        line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "3", "--rounds", "1"]
        line += ["--settle", "0s", "--results", str(results), *EASY_SLOS, "--server-metrics", bodies_url]
        line += ["--gpu-sidecar", f"{heads_url},{bodies_url},{mute_url}"]
        with Run(line, tmp_path) as run:
            assert_ends_with(0, run, results)
            run.wait_until_nothing_is_left()
            output = run.output
    assert {row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")} == {"ok"}
    run_json = json.loads((run_folder(results) / "run.json").read_text(encoding="utf-8"))
    assert [sidecar["host"] for sidecar in run_json["sidecars"]] == [None, None, None]
    assert run_json["server_metrics"]["looks"] == 0
    for who in (
        f"GPU sidecar {heads_url}: the head of its answer has no end",
        f"GPU sidecar {bodies_url}: its answer is longer than 8 MiB",
        f"GPU sidecar {mute_url}: no answer within 2 s",
        f"server metrics at {bodies_url}: its answer is longer than 8 MiB",
    ):
        assert who in output

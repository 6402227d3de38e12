"""A run of uploads from end to end, with files that are really recognised."""

from __future__ import annotations

import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from runs import LOCUST, REPOSITORY, STT_LOAD, Run, assert_ends_with, phases, rows, run_folder, summary
from wire import STAMP_SLACK_S

from stt_load.server.process import start_embedded_server

pytestmark = pytest.mark.locust

UPLOADS = REPOSITORY / "locustfiles" / "uploads.py"
EASY = ["--slo", "rtf:p95<20", "--slo", "error_rate<1%"]


def test_a_ladder_of_uploads_leaves_a_folder_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    results = tmp_path / "results"
    options = ["--concurrency", "1,2", "--hold", "1s", "--at-least", "2", "--settle", "0.1s", "--results", str(results)]
    with start_embedded_server() as server:
        url = f"{server.http_url}/v1/audio/transcriptions"
        line = [
            *LOCUST,
            "-f",
            str(UPLOADS),
            "--headless",
            "--stt-url",
            url,
            "--dialect-option",
            "stream=true",
            "--verbose",
        ]
        with Run([*line, *options, *EASY], tmp_path) as run:
            assert_ends_with(0, run, results)
            output = run.output
    assert phases(results)[-1] == (1, "done")
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert {(row["kind"], row["outcome"], row["stamp"]) for row in utterances} == {("upload", "ok", "kernel")}
    for row in utterances:
        assert 0 < row["first_text_s"] <= row["total_s"] + STAMP_SLACK_S
        assert row["total_s"] <= row["duration_s"]
        assert row["eos_latency_s"] is None
    run_json = json.loads((run_folder(results) / "run.json").read_text(encoding="utf-8"))
    assert (run_json["kind"], run_json["dialect"], run_json["frame"]) == ("upload", "upload-openai", None)
    stages = summary(results)["stages"]
    assert [stage["users"] for stage in stages] == [1, 2]
    assert all(stage["wer"] < 0.5 for stage in stages)
    assert all(stage["total_s"]["n"] >= 2 and stage["rtf"]["p95"] > 0 for stage in stages)
    with (run_folder(results) / "stages.csv").open(encoding="utf-8") as file:
        assert all(row["eos_p95"] == "" and float(row["requests_per_s"]) > 0 for row in csv.DictReader(file))
    assert "uploads: whole files, not microphone pace" in output
    assert "concurrent request" in output
    assert "worker 0 caller 1 " in output
    assert "from the request's first byte < data: " in output


class SameAnswer(BaseHTTPRequestHandler):
    """Takes a whole file, and says the same of each."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"text": "some words"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_stress_runs_the_ladder_and_judges_it(tmp_path: Path) -> None:
    table = tmp_path / "stress.json"
    with ThreadingHTTPServer(("127.0.0.1", 0), SameAnswer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        options = [
            "--threads",
            "1,2",
            "--rounds",
            "2",
            "--settle",
            "0s",
            "--results",
            str(tmp_path),
            "--slo",
            "wer<900%",
        ]
        with Run([*STT_LOAD, "stress", "--stt-url", url, *options, "--json", str(table)], tmp_path) as run:
            run.wait()
        server.shutdown()
    stages = json.loads(table.read_text(encoding="utf-8"))["rows"]
    assert [stage["threads"] for stage in stages] == [1, 2]
    assert all(stage["mean_s"] > 0 and stage["status"] != "invalid" for stage in stages)
    assert "throttling_detected: mean latency more than 2 times" in run.output


def test_a_run_that_asks_wrongly_says_what_to_do(tmp_path: Path) -> None:
    line = [*STT_LOAD, "run", "--dialect", "upload-parakeet", "--stt-url", "ws://localhost:1/ws", "--end", "server"]
    with Run([*line, "--dialect-option", "volume=11"], tmp_path) as run:
        assert run.wait() == 2
        told = run.output.splitlines()
    assert [line.partition(":")[2].partition(":")[0].split("=")[0].strip() for line in told] == [
        "--stt-url",
        "--end",
        "--dialect-option volume",
    ]

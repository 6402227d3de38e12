"""The command in a process of its own, against the stand-in for TTS servers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from servers.start import start_tts_server
from small_disk import set_room
from stand_in import StandInSmi, dmon_row, eventually

from stt_load.cli.tts import _write_somewhere
from stt_load.process.ending_signals import ENDING
from stt_load.server.process import ServerProcess

pytestmark = pytest.mark.slow

STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()", "tts"]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with start_tts_server("--rtf", "0.01") as started:
        yield started


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [*STT_LOAD, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, env={**os.environ, **environment})


def result_of(folder: Path) -> dict:
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_five_texts_are_measured_into_a_table_and_a_file(server: ServerProcess, tmp_path: Path) -> None:
    done = run(
        *("--url", server.http_url, "--warm-up", "1", "--runs", "2", "--results", tmp_path),
        *("--configuration", "optimization=fp16", "--configuration", "batch_size=4"),
    )
    assert done.returncode == 0, done.stderr
    made = result_of(tmp_path)
    assert list(made["results"]) == ["ultra_short", "short", "medium", "long", "telephony_typical"]
    assert {text["latency"]["n"] for text in made["results"].values()} == {2}
    assert made["metadata"]["warmup_runs"] == 1
    configuration = made["configuration"]
    assert (configuration["optimization"], configuration["batch_size"], configuration["gpu"]) == ("fp16", 4, None)
    assert configuration["options"]["stream"] is True
    assert "telephony_typical" in done.stdout
    assert done.stdout.rstrip().endswith(".json")


def test_a_result_that_no_folder_takes_is_printed_and_ends_with_1(server: ServerProcess, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Hello there.\n")
    line = [*STT_LOAD, "--url", server.http_url, "--warm-up", "0", "--runs", "1", "--texts", str(text)]
    line += ["--gpu-sidecar", "off", "--results", str(tmp_path / "results")]
    places = {"STT_LOAD_DATA": str(tmp_path / "data"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, **places},
        preexec_fn=partial(set_room, 100),
    )
    assert done.returncode == 1, done.stderr
    (complaint,) = done.stderr.splitlines()
    assert re.fullmatch(r"error: .*/results/.*\.json can't be written: File too large", complaint)
    assert "words" in done.stdout and "result file: (none)" in done.stdout
    assert not list(tmp_path.rglob("*.json*"))


def test_a_result_goes_elsewhere_where_its_own_folder_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path / "data"))
    (tmp_path / "results").write_text("no folder")
    place, failure = _write_somewhere(tmp_path / "results" / "tts.json", "{}")
    assert place == tmp_path / "data" / "results" / "tts.json" and place.read_text() == "{}"
    assert "results/tts.json can't be written" in str(failure)
    assert _write_somewhere(tmp_path / "tts.json", "{}") == (tmp_path / "tts.json", None)


def test_gpu_and_memory_come_from_the_sidecar(server: ServerProcess, smi: StandInSmi, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Hello there.\n")
    smi.feed(dmon_row(50, 2_048) * 40)
    line = ["--url", server.http_url, "--text", text, "--warm-up", "0", "--runs", "1", "--results", tmp_path / "out"]
    done = run(*line, "--gpu-sidecar", "local", "--gpu-id", "1", **smi.environment)
    assert done.returncode == 0, done.stderr
    configuration = result_of(tmp_path / "out")["configuration"]
    assert (configuration["gpu"], configuration["gpu_memory_gb"]) == ("NVIDIA H200", 140.4)


def test_a_sidecar_without_a_gpu_says_why_and_costs_nothing_else(server: ServerProcess, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Hello there.\n")
    line = ["--url", server.http_url, "--text", text, "--warm-up", "0", "--runs", "1", "--results", tmp_path / "out"]
    done = run(*line, "--gpu-sidecar", "http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "GPU sidecar http://127.0.0.1:9: " in done.stderr
    assert result_of(tmp_path / "out")["results"]["text-01"]["vram_peak_gb"] is None


def test_openais_endpoint_is_found_by_the_api_alone(server: ServerProcess, tmp_path: Path) -> None:
    text = tmp_path / "texts.json"
    text.write_text('{"greeting": "Hello there."}')
    line = ["--api", "openai", "--url", server.http_url, "--texts", text, "--runs", "1", "--results", tmp_path / "out"]
    assert run(*line, "--dialect-option", "response_format=pcm").returncode == 0
    assert requests.get(f"{server.http_url}/requests", timeout=PATIENCE_S).json()[-1] == {
        "path": "/v1/audio/speech",
        "body": {"input": "Hello there.", "model": "tts-1", "voice": "alloy", "response_format": "pcm"},
    }
    assert result_of(tmp_path / "out")["results"]["greeting"]["text_length_words"] == 2


def test_a_server_that_fails_is_exit_3_and_the_failures_are_counted(tmp_path: Path) -> None:
    with start_tts_server("--rtf", "0", "--first-fails", "2") as failing:
        line = ["--url", failing.http_url, "--warm-up", "0", "--runs", "2", "--results", tmp_path]
        done = run(*line, "--dialect-option", "stream=false")
    assert done.returncode == 3, done.stderr
    assert result_of(tmp_path)["results"]["ultra_short"]["outcomes"] == {"server_error": 2}
    assert "2 times server_error: HTTP 500: TTS engine failed to synthesize audio" in done.stdout


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_keeps_what_was_measured(server: ServerProcess, tmp_path: Path, number: signal.Signals) -> None:
    asked = f"{server.http_url}/requests"
    before = len(requests.get(asked, timeout=PATIENCE_S).json())
    line = [*STT_LOAD, "--url", server.http_url, "--warm-up", "0", "--runs", "10000", "--results", str(tmp_path)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        eventually(lambda: len(requests.get(asked, timeout=PATIENCE_S).json()) > before + 3)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 5
    finally:
        process.kill()
        process.communicate()
    made = result_of(tmp_path)
    assert made["metadata"]["complete"] is False
    assert made["results"]["ultra_short"]["runs"] >= 3


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    done = run(
        *("--url", "ftp://x", "--runs", "0", "--hold", "3s", "--texts", tmp_path / "gone.txt", "--foo"),
        *("--dialect-option", "seed=0", "--configuration", "x", "--benchmark-type", "a/b", "--timeout", "soon"),
    )
    assert done.returncode == 2
    starts = (
        "--foo",
        "--hold",
        "--url",
        "--timeout",
        "--dialect-option",
        "--texts",
        "--configuration",
        "--runs",
        "--benchmark-type",
    )
    lines = done.stderr.splitlines()
    assert len(lines) == len(starts), done.stderr
    for start in starts:
        assert any(start in line for line in lines), start


def test_what_a_ladder_does_not_take_is_refused_and_the_url_is_called_as_it_was_typed() -> None:
    done = run("--concurrency", "1", "--url", "ws://x", "--runs", "3", "--texts", "english", "--hold", "x")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --runs: is for texts one by one: leave it out, or leave out --concurrency",
        "error: --texts: is for texts one by one: leave it out, or leave out --concurrency",
        "error: --url: 'ws://x' must begin with http:// or https://: write http://x",
        "error: --hold: 'x' is not a duration: write seconds, or 500ms, 60s, 2m, 1h",
    ]


def test_a_voice_that_the_server_has_not_is_one_line_and_no_file(server: ServerProcess, tmp_path: Path) -> None:
    done = run("--url", server.http_url, "--dialect-option", "voice=Bob", "--results", tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "Voice file 'Bob' not found." in line
    assert list(tmp_path.iterdir()) == []

"""The GitHub action: its steps are read from action.yml and run with bash, as a runner does it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from collector import Collector
from made_calls import made_calls
from metrics_server import MetricsServer
from ports import free_port
from prometheus_client.parser import text_string_to_metric_families
from runs import PATIENCE_S, StartSink, summary

from stt_load.report.build import build_report
from stt_load.report.json_file import summary_json

CHECKOUT = Path(__file__).parents[2]
ACTION = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
DEFAULTS = {name: str(given.get("default", "")) for name, given in ACTION["inputs"].items()}
_INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


class Runner:
    """Runs steps with their inputs in `folder`, where stt-load is installed already."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.folder = folder
        self.inputs = DEFAULTS | {name.replace("_", "-"): value for name, value in inputs.items()}
        self.outputs = folder / "outputs.txt"
        self.summary = folder / "summary.md"
        (folder / "stt-load").symlink_to(sys.prefix)

    def run(self, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        step = STEPS[name]
        given = {
            key: _INPUT.sub(lambda found: self.inputs[found[1]], str(text)) for key, text in step.get("env", {}).items()
        }
        runner = {
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_OUTPUT": str(self.outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**os.environ, **runner, **given, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def told(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.outputs.read_text().splitlines())


@pytest.mark.locust
def test_a_job_measures_a_server_while_other_systems_get_its_figures(start_sink: StartSink, tmp_path: Path) -> None:
    """One run for all of it: each start of Locust takes seconds."""
    port = free_port()
    with Collector() as collector, MetricsServer() as server, ThreadPoolExecutor(1) as other:
        runner = Runner(
            tmp_path,
            stt_url=start_sink().url,
            concurrency="1",
            slo="eos_latency:p95<60s\n\nerror_rate<50%\n",
            options=f"--rounds 2\n\n--settle 0s\n--metrics {port}\n"
            f"--otlp-endpoint {collector.url}\n--server-metrics {server.url}\n",
            label="job",
        )
        assert runner.run("Wait for the server").returncode == 0
        running = other.submit(runner.run, "Measure")
        texts = list(scraped(port, running.done))
        done = running.result()
    told = runner.told()
    results = Path(told["folder"]).parent
    assert told["exit-code"] == str(done.returncode) == str(summary(results)["exit_code"]), done.stdout + done.stderr
    assert told["verdict"] == summary(results)["verdict"]
    assert told["holds"] in ("1", "")  # a machine that is too busy makes a run that can't be believed
    assert told["folder"].endswith("-job")
    assert "stt-load" in runner.summary.read_text()
    (stage,) = summary(results)["stages"]
    assert [slo["slo"] for slo in stage["slos"]] == ["eos_latency:p95<60s", "error_rate<50%"]
    assert {figure["metric"]: figure["mean"] for figure in stage["server_metrics"]} == {
        "vllm:num_requests_running": 3.0,
        "process_open_fds": 12.0,
    }
    assert_is_prometheus(texts)
    assert pushed(collector, "stt_load.utterances", outcome="ok") == stage["outcomes"]["ok"] == 2
    assert pushed(collector, "stt_load.stage_valid", stage="0", users="1") == int(stage["verdict"] != "invalid")


def test_a_job_with_calls_is_told_no_number_of_callers(tmp_path: Path) -> None:
    """The program of this job leaves the summary of a run that is made."""
    made = made_calls()
    report = build_report(made.run, made.transitions, [made.utterances], made.samples)
    (tmp_path / "made.json").write_text(summary_json(report), encoding="utf-8")
    runner = Runner(tmp_path, stt_url="ws://localhost:1/ws")
    programs = tmp_path / "stt-load" / "bin"
    programs.parent.unlink()
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "stt-load").write_text('#!/bin/sh\nmkdir "$3/run" && cp made.json "$3/run/summary.json"; exit 3\n')
    (programs / "stt-load").chmod(0o755)
    assert runner.run("Measure").returncode == 3
    assert {name: runner.told()[name] for name in ("exit-code", "verdict", "holds")} == {
        "exit-code": "3",
        "verdict": "fail",
        "holds": "",
    }


def scraped(port: int, is_over: Callable[[], bool]) -> Iterator[str]:
    """What the run serves, as often as it can be had."""
    while not is_over():
        with suppress(requests.ConnectionError):
            yield requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        threading.Event().wait(0.2)


def assert_is_prometheus(texts: Sequence[str]) -> None:
    """No counter falls while the run goes on, and promtool has nothing to object to."""
    assert texts
    before: dict[tuple[str, str], float] = {}
    for text in texts:
        counters = {
            (sample.name, str(sample.labels)): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if family.type in ("counter", "histogram")
        }
        assert all(counters[key] >= value for key, value in before.items())
        before = counters
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=texts[-1], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def pushed(collector: Collector, name: str, **labels: str) -> float:
    """The value of a series in the last push."""
    metric = collector.metrics()[name]
    points = getattr(metric, metric.WhichOneof("data")).data_points
    (value,) = [
        point.as_int or point.as_double
        for point in points
        if {pair.key: pair.value.string_value for pair in point.attributes} == labels
    ]
    return float(value)


def test_an_input_is_never_a_command(tmp_path: Path) -> None:
    evil = "$(touch hacked) `touch hacked`; touch hacked #"
    runner = Runner(tmp_path, stt_url="ws://127.0.0.1:1/ws", slo=f"x<1 {evil}", options=f"--label {evil}", hold=evil)
    done = runner.run("Measure")
    assert done.returncode == 2, done.stderr
    assert "touch hacked" in done.stderr
    assert not (tmp_path / "hacked").exists()
    assert runner.told() == {"exit-code": "2", "folder": "", "verdict": "", "holds": ""}
    assert Runner(make(tmp_path, "other"), command=f"run {evil}").run("Measure").returncode == 2


def test_no_script_holds_an_input() -> None:
    """`${{ }}` in a script's text would be a command of whoever may set the input."""
    assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]


def test_a_server_that_never_listens_ends_the_wait(tmp_path: Path) -> None:
    port = free_port()
    done = Runner(tmp_path, stt_url=f"ws://127.0.0.1:{port}/ws", wait="0").run("Wait for the server")
    assert done.returncode == 1
    assert f"nothing answers at 127.0.0.1:{port} after 0 s" in done.stderr


@pytest.mark.parametrize(
    ("url", "wait"), [("localhost:8000", "1"), ("ws://localhost:99999/ws", "1"), ("ws://localhost:1/ws", "soon")]
)
def test_what_cant_be_waited_for_is_one_line(url: str, wait: str, tmp_path: Path) -> None:
    done = Runner(tmp_path, stt_url=url, wait=wait).run("Wait for the server")
    assert done.returncode == 2
    assert done.stderr.startswith("stt-url or wait: ") and done.stderr.count("\n") == 1


def test_it_installs_the_checkout_that_it_came_with(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nmkdir -p "$3/bin"; ln -s "{tmp_path}/pip" "$3/bin/pip"; echo "$1 $2"\n')
    (tmp_path / "pip").write_text('#!/bin/sh\necho "pip $@"\n')
    for program in (python, tmp_path / "pip"):
        program.chmod(0o755)
    runner = Runner(make(tmp_path, "runner"))
    (runner.folder / "stt-load").unlink()
    done = runner.run("Install stt-load", PYTHON=str(python), SOURCE="/actions/stt-load/v1")
    assert done.stdout.splitlines() == ["-m venv", "pip install --quiet /actions/stt-load/v1[demo]"]


def test_inputs_and_outputs_are_explained_and_used() -> None:
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    for name, given in ACTION["inputs"].items():
        assert given["description"]
        assert f"inputs.{name}" in text
    ids: Any = {step.get("id") for step in ACTION["runs"]["steps"]}
    for given in ACTION["outputs"].values():
        assert given["description"]
        assert given["value"].split(".")[1] in ids


def make(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name

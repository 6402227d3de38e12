"""The web UI driven as a browser drives it: start, change, stop."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import requests
from ports import free_port
from runs import (
    INTERACTIVE,
    LADDER,
    LOCUST,
    Run,
    StartSink,
    assert_ends_with,
    phases,
    rows,
    run_folder,
    summary,
    two_processes,
    wait_for,
)

pytestmark = pytest.mark.locust


def test_each_change_of_the_user_count_is_a_stage(start_sink: StartSink, tmp_path: Path) -> None:
    results, port = tmp_path / "results", free_port()
    site = f"http://127.0.0.1:{port}"
    line = [*LOCUST, "-f", str(INTERACTIVE), "--web-host", "127.0.0.1", "--web-port", str(port)]
    with Run([*line, "--stt-url", start_sink().url, "--results", str(results)], tmp_path) as run:
        wait_for(lambda: is_up(site), "the web UI", run)
        for stage, users in enumerate((5, 10)):
            form = {"user_count": users, "spawn_rate": 10}
            answer = requests.post(f"{site}/swarm", data=form, timeout=30)
            assert answer.ok and answer.json()["success"], run.output
            wait_for(lambda stage=stage: (stage, "hold") in phases(results), f"the hold of stage {stage}", run)
            wait_for(lambda stage=stage: counted(results, stage) >= 2, f"utterances of stage {stage}", run)
        assert requests.post(f"{site}/stop", timeout=60).json()["success"]
        wait_for(lambda: (run_folder(results) / "summary.json").exists(), "the summary", run)
        run.send(signal.SIGTERM)
        assert_ends_with(0, run, results)
    assert phases(results) == [(0, "ramp"), (0, "hold"), (1, "ramp"), (1, "hold"), (1, "done")]
    assert [stage["users"] for stage in summary(results)["stages"]] == [5, 10]
    assert {row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")} == {"ok"}


def is_up(site: str) -> bool:
    try:
        return requests.get(site, timeout=5).ok
    except requests.ConnectionError:
        return False


def counted(results: Path, stage: int) -> int:
    utterances = rows(run_folder(results) / "utterances.jsonl")
    return sum(row["stage"] == stage and row["phase"] == "hold" for row in utterances)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_run_from_the_web_ui_ends_with_5(
    start_sink: StartSink, tmp_path: Path, number: int
) -> None:
    results, port = tmp_path / "results", free_port()
    site = f"http://127.0.0.1:{port}"
    line = [*LOCUST, "-f", str(LADDER), "--web-host", "127.0.0.1", "--web-port", str(port), "--hold", "600s"]
    with Run([*line, "--stt-url", start_sink().url, "--results", str(results)], tmp_path) as run:
        wait_for(lambda: is_up(site), "the web UI", run)
        assert requests.post(f"{site}/swarm", data={"concurrency": "3"}, timeout=30).json()["success"]
        wait_for(lambda: (0, "hold") in phases(results), "the hold", run)
        run.send(number)
        assert run.wait() == 5, run.output
    assert rows(run_folder(results) / "stages.jsonl")[-1]["aborted"] is True
    assert summary(results)["stages"][0]["users"] == 3


@pytest.mark.parametrize(("locustfile", "n_workers"), [(INTERACTIVE, 0), (INTERACTIVE, 2), (LADDER, 0), (LADDER, 2)])
def test_a_wrong_value_typed_into_the_web_ui_is_one_line_and_the_next_run_starts(
    start_sink: StartSink, tmp_path: Path, locustfile: Path, n_workers: int
) -> None:
    results, port = tmp_path / "results", free_port()
    site = f"http://127.0.0.1:{port}"
    line = [*LOCUST, "-f", str(locustfile), "--web-host", "127.0.0.1", "--web-port", str(port)]
    line += two_processes() if n_workers else []
    with Run([*line, "--stt-url", start_sink().url, "--results", str(results)], tmp_path) as run:
        wait_for(lambda: is_up(site) and has_workers(site, n_workers), "the web UI", run)
        form = {"user_count": 2, "spawn_rate": 10, "concurrency": "2"}
        assert requests.post(f"{site}/swarm", data={**form, "hold": "soon"}, timeout=30).json()["success"]
        wait_for(lambda: "--hold: 'soon' is not a duration" in run.output, "the reason", run)
        wait_for(lambda: state(site) in ("ready", "stopped"), "the end of what did not begin", run)
        assert not results.exists() or not any(results.iterdir())
        assert requests.post(f"{site}/swarm", data={**form, "hold": "600s"}, timeout=30).json()["success"]
        wait_for(lambda: (0, "hold") in phases(results), "the hold", run)
        run.send(signal.SIGTERM)
        assert run.wait() == 5, run.output
    assert "Traceback" not in run.output, run.output
    assert run.output.count("--hold: 'soon'") == 1, run.output


def state(site: str) -> object:
    return requests.get(f"{site}/stats/requests", timeout=5).json()["state"]


def has_workers(site: str, n: int) -> bool:
    return len(requests.get(f"{site}/stats/requests", timeout=5).json().get("workers", ())) >= n

"""Told to end while master and worker wait for each other: nothing was begun, and nothing says otherwise."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest
from ports import free_port
from runs import LADDER, LOCUST, STT_LOAD, Run, StartSink, side_by_side, wait_for

from stt_load.process.ending_signals import ENDING

pytestmark = pytest.mark.locust


def test_a_signal_to_who_waits_for_others_ends_it_with_5_and_no_folder(start_sink: StartSink, tmp_path: Path) -> None:
    url = start_sink().url

    def play(name: str, line: list[str], waits: str, told: str, number: signal.Signals) -> None:
        folder = tmp_path / f"{name}-{number.name}"
        folder.mkdir()
        port = str(free_port())
        where = ["--master-bind-port", port] if name == "master" else ["--master-port", port]
        with Run([*line, *where], folder) as run:
            wait_for(lambda: waits in run.output, "it to wait", run)
            run.send(number)
            assert run.wait() == 5, run.output
        assert "Traceback" not in run.output
        assert told in run.output
        assert not (folder / "results").exists(), "nothing was measured"

    master = [
        *STT_LOAD,
        "run",
        "--stt-url",
        url,
        "--master",
        "--master-bind-host",
        "127.0.0.1",
        "--expect-workers",
        "2",
    ]
    master += ["--loglevel", "DEBUG"]  # which says that it waits
    worker = [*LOCUST, "-f", str(LADDER), "--worker"]
    masters = partial(play, "master", master, "Waiting for workers", "no run is on, leaving")
    workers = partial(play, "worker", worker, "no master answers", "interrupted before anything was started")
    side_by_side([*(partial(masters, number) for number in ENDING), *(partial(workers, n) for n in ENDING[:2])])

"""The services of the Compose file as processes: a worker with the packages of its image joins a master with all."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import venv
from contextlib import ExitStack
from importlib.metadata import Distribution, distribution
from pathlib import Path

import psutil
import pytest
import requests
from compose_files import CHECKOUT, health_check, line_of, replaced
from packaging.requirements import Requirement
from ports import free_port
from runs import Run, rows, run_folder, wait_for

pytestmark = pytest.mark.locust


def test_a_worker_of_the_small_image_speaks_the_default_clips_and_leaves_with_its_master(tmp_path: Path) -> None:
    stt, web, workers = (free_port() for _ in range(3))
    environment = {
        "STT_LOAD_CACHE": str(tmp_path / "cache"),
        "STT_LOAD_DATA": str(tmp_path / "data"),
        "STT_LOAD_STT_URL": f"ws://127.0.0.1:{stt}/ws",
        "LOCUST_LOCUSTFILE": str(CHECKOUT / "locustfiles" / "interactive.py"),
    }
    python = worker_environment(tmp_path / "worker")
    gone = subprocess.run([python, "-c", "import espeakng_loader"], capture_output=True, text=True)
    assert "ModuleNotFoundError" in gone.stderr
    here = {
        "master/5557": f"127.0.0.1/{workers}",
        "exec locust": f"exec {python} -m locust",
        "--master-host master": f"--master-host 127.0.0.1 --master-port {workers}",
    }
    with ExitStack() as stack:
        worker = stack.enter_context(Run(replaced(line_of("worker"), here), tmp_path, environment))
        served = [*module(line_of("recogniser")), "--port", str(stt)]
        recogniser = stack.enter_context(Run(served, tmp_path, environment))
        line = [*module(line_of("master")), "--web-port", str(web), "--master-bind-port", str(workers)]
        master = stack.enter_context(Run(line, tmp_path, environment))
        wait_for(lambda: is_healthy("recogniser", 8000, stt), "the recogniser", recogniser)
        wait_for(lambda: is_healthy("master", 8089, web), "the master", master)
        site = f"http://127.0.0.1:{web}"
        count = f"{site}/worker-count"
        wait_for(lambda: requests.get(count, timeout=30).json() == {"worker_count": 1}, "the worker", worker)
        started = requests.post(f"{site}/swarm", data={"user_count": 6, "spawn_rate": 100}, timeout=60).json()
        assert started["success"], started
        results = tmp_path / "results"
        wait_for(lambda: speaks(worker, stt), "an utterance", master)
        master.send(signal.SIGTERM)
        assert (master.wait(), worker.wait()) == (5, 0), master.output + worker.output
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert utterances
    assert {(row["worker"], row["clip_id"].partition("-")[0]) for row in utterances} == {(0, "english")}


def speaks(worker: Run, stt: int) -> bool:
    """Whether it is connected to the recogniser."""
    connections = psutil.Process(worker.process.pid).net_connections("tcp")
    return any(c.raddr and c.raddr.port == stt for c in connections)


def is_healthy(service: str, port: int, here: int) -> bool:
    """What the service's health check says of the process that stands for it."""
    line = replaced(health_check(service), {f"/dev/tcp/127.0.0.1/{port}": f"/dev/tcp/127.0.0.1/{here}"})
    return subprocess.run(line, capture_output=True).returncode == 0


def module(line: list[str]) -> list[str]:
    """The line with the program as a module of this Python."""
    return [sys.executable, "-m", line[0].replace("-", "_"), *line[1:]]


def worker_environment(folder: Path) -> str:
    """The Python of an environment with what stt-load requires without extras: links to what is installed here."""
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "checkout.pth").write_text(f"{CHECKOUT}\n")
    for found in required(distribution("stt-load"), {}).values():
        parts = {Path(file).parts[0] for file in found.files or () if ".." not in Path(file).parts}
        for part in parts - {"__pycache__"} - {path.name for path in site.iterdir()}:
            (site / part).symlink_to(str(found.locate_file(part)))
    return str(folder / "bin" / "python")


def required(needs: Distribution, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """The distribution and all that it requires, by name."""
    name = re.sub(r"[-_.]+", "-", needs.metadata["Name"]).lower()
    if name not in found:
        found[name] = needs
        for text in needs.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                required(distribution(requirement.name), found)
    return found

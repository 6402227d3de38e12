"""The one file that `make sidecar` makes: it runs with nothing but a Python, on the oldest that it promises too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from stand_in import CHECKOUT, DEADLINE_S, StandInSmi, dmon_row, refusal, sidecar

from gpu_sidecar import __version__

OLDEST = "python3.8"


@pytest.fixture(scope="module")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist of make")
    command = ["make", "--silent", "sidecar", f"DIST={folder}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["gpu-sidecar.pyz"]
    return folder / "gpu-sidecar.pyz"


@pytest.fixture(params=[sys.executable, OLDEST], ids=["our Python", OLDEST])
def program(request: pytest.FixtureRequest, zipapp: Path) -> list[str]:
    """-I and -S: neither what is installed nor this checkout can help it."""
    python = executable_of(request.param)
    if python is None:
        pytest.skip(f"there is no {request.param} here")
    return [python, "-I", "-S", str(zipapp)]


def executable_of(python: str) -> str | None:
    """Its own path, None if it doesn't run: what is on PATH may be a mere shim, of a version that isn't installed."""
    if shutil.which(python) is None:
        return None
    ask = [python, "-c", "import sys; print(sys.executable)"]
    done = subprocess.run(ask, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    return done.stdout.strip() or None


def test_it_carries_the_package_and_nothing_else(zipapp: Path) -> None:
    carried = {name for name in zipfile.ZipFile(zipapp).namelist() if not name.endswith("/")}
    folder = CHECKOUT / "gpu_sidecar"
    package = {str(path.relative_to(CHECKOUT)) for path in (*folder.rglob("*.py"), folder / "py.typed")}
    assert carried == {"__main__.py"} | package


def test_it_can_be_started_by_its_own_name(zipapp: Path) -> None:
    assert os.access(zipapp, os.X_OK)
    assert zipapp.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_it_says_its_version_and_refuses_what_it_does_not_know(program: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, __version__)
    exit_code, lines = refusal({"PATH": str(tmp_path)}, "--hots", "1", program=program)
    assert exit_code == 2
    assert lines == ["gpu_sidecar: unrecognized arguments: --hots 1 (--help lists the options)"]


def test_it_samples_answers_and_stops(program: list[str], smi: StandInSmi) -> None:
    with sidecar({"PATH": smi.environment["PATH"]}, "--interval", "60", program=program) as running:
        smi.feed(dmon_row(sm=45, fb=1842))
        (row,) = running.wait_for_samples(1)
        health = running.get("/healthz").json()
        metrics = running.get("/metrics")
        os.kill(running.pid, signal.SIGINT)
        assert running.process.wait(DEADLINE_S) == 0
    assert (row["gpu"], row["sm_pct"], row["fb_mib"]) == (1, 45, 1842)
    assert (health["version"], [gpu["uuid"] for gpu in health["gpus"]]) == (__version__, ["GPU-bbbb"])
    assert metrics.ok and "gpu_sm_utilization_ratio" in metrics.text

"""The wheel: what it carries, and that an installed copy works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PATIENCE_S = 180.0
Installed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without isolation, so without the network: hatchling is among the `dev` requirements."""
    folder = tmp_path_factory.mktemp("wheel")
    pip(folder, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(CHECKOUT))
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Runs a line of Python or a script with the installed copy, in an empty folder. Dependencies are those of here."""
    site, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    pip(elsewhere, "install", "--no-deps", "--no-index", "--target", str(site), str(wheel))

    def run(*line: str) -> subprocess.CompletedProcess[str]:
        program = [str(site / "bin" / line[0]), *line[1:]] if line[0] == "stt-load" else [sys.executable, *line]
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(
            program, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )

    where = run("-c", "import stt_load; print(stt_load.__file__)").stdout.strip()
    assert Path(where).is_relative_to(site), "the copy under test is not the installed one"
    return run


def pip(folder: Path, *arguments: str) -> None:
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr


def test_the_wheel_carries_every_source_file_and_all_that_is_read_at_run_time(wheel: Path) -> None:
    carried = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(CHECKOUT))
        for package in ("stt_load", "gpu_sidecar")
        for path in (CHECKOUT / package).rglob("*.py")
    }
    data = {"stt_load/py.typed", "stt_load/report/templates/report.html"}
    data |= {f"stt_load/audio/shipped_texts/{name}" for name in ("english.txt", "standard.json")}
    locustfiles = {f"stt_load/_locustfiles/{path.name}" for path in (CHECKOUT / "locustfiles").glob("*.py")}
    assert len(locustfiles) == 4
    assert not (sources | data | locustfiles) - carried


def test_the_wheel_carries_no_tests_and_no_leftovers(wheel: Path) -> None:
    folders = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    (metadata,) = folders - {"stt_load", "gpu_sidecar"}
    assert metadata.endswith(".dist-info")


def test_the_installed_command_helps(installed: Installed) -> None:
    done = installed("stt-load", "--help")
    assert done.returncode == 0, done.stderr
    assert "How many live callers" in done.stdout
    assert installed("stt-load", "run", "--help").returncode == 0


def test_locust_loads_the_locustfile_that_the_installed_copy_finds(installed: Installed) -> None:
    find = "from stt_load.cli.run import find_locustfile; print(find_locustfile('ladder.py'))"
    found = installed("-c", find).stdout.strip()
    assert Path(found).parent.name == "_locustfiles"
    assert not Path(found).is_relative_to(CHECKOUT)
    listed = installed("-m", "locust", "-f", found, "--list")
    assert listed.returncode == 0, listed.stderr
    assert "Caller" in listed.stdout


def test_the_installed_copy_reads_its_shipped_texts(installed: Installed) -> None:
    done = installed("-c", "from stt_load.audio.texts import english_texts; print(len(english_texts()))")
    assert int(done.stdout) >= 50, done.stderr


def test_the_installed_sidecar_starts_without_the_load_test(installed: Installed) -> None:
    done = installed("-m", "gpu_sidecar", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()

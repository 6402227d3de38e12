"""The folder in which a command is started decides nothing but where results go: neither its modules are imported, nor
are its configuration files read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from runs import EASY_SLOS, LOCUST, STT_LOAD, Run, StartSink, assert_ends_with, run_folder, summary, two_processes

from stt_load.server.process import start_embedded_server, start_sink_server

# Modules of Python, Locust, its dependencies and ours: some are imported at once, others late or in other processes.
MODULES = (
    *("random", "msgpack", "locust", "gevent", "flask", "psutil", "xml", "html", "csv", "sched", "wave"),
    *("jiwer", "numpy", "soundfile", "rich", "stt_load", "gpu_sidecar", "pocketsphinx", "starlette", "jinja2"),
)
CONFIG = "stt-url = ws://127.0.0.1:1/\ntags = [other]\nhold = 600s\nresults = elsewhere\nheadless = false\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, full of modules that note that they were imported."""
    here = tmp_path / "here"
    here.mkdir()
    for name in MODULES:
        (here / f"{name}.py").write_text(
            f"open({str(tmp_path / 'imported')!r}, 'a').write('{name} ')\n", encoding="utf-8"
        )
    (here / "locust.conf").write_text(CONFIG, encoding="utf-8")
    (here / "pyproject.toml").write_text("[tool.locust]\nno TOML", encoding="utf-8")
    monkeypatch.chdir(here)
    return here


def imported(folder: Path) -> str:
    note = folder.parent / "imported"
    return note.read_text(encoding="utf-8") if note.exists() else ""


@pytest.mark.locust
def test_a_run_imports_and_reads_nothing_from_the_current_folder(start_sink: StartSink, folder: Path) -> None:
    safe = [sys.executable, "-P", *STT_LOAD[1:]]  # as the console script is
    line = [*safe, "run", "--stt-url", start_sink().url, "--concurrency", "1", "--hold", "1s", "--settle", "0s"]
    with Run([*line, *EASY_SLOS, "--gpu-sidecar", "local", "--gpu-id", "none", *two_processes()], folder) as run:
        assert_ends_with(0, run, folder / "results")
    assert imported(folder) == ""
    assert run_folder(folder / "results").is_dir()
    assert summary(folder / "results")["stages"][0]["n"] >= 1


def test_servers_that_a_command_starts_import_nothing_from_the_current_folder(folder: Path) -> None:
    with start_sink_server(), start_embedded_server() as server:
        assert requests.get(f"{server.http_url}/healthz", timeout=60).ok
    assert imported(folder) == ""


@pytest.mark.locust
def test_a_locustfile_of_the_users_imports_modules_beside_it_with_locust(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'a module beside the locustfile'\n", encoding="utf-8")
    (tmp_path / "mine.py").write_text(
        "import locust\nfrom stt_load.locust_plugin.hooks import install\n"
        "from stt_load.locust_plugin.user import CallerUser\nimport beside\ninstall()\n"
        "class Mine(CallerUser):\n    print(beside.NAME)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*LOCUST, "-f", "mine.py", "--list"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert "a module beside the locustfile" in done.stdout
    assert "Mine" in done.stdout

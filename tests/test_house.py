"""The house: folders are layers, the core never waits or asks the time, and names and docstrings say what things are.

The layers themselves are declared once, as import-linter contracts in pyproject.toml.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]
SOURCES = sorted(path for package in ("stt_load", "gpu_sidecar") for path in (CHECKOUT / package).rglob("*.py"))
EVERYTHING = [
    *SOURCES,
    *(path for folder in ("tests", "bench", "locustfiles") for path in (CHECKOUT / folder).rglob("*.py")),
]

# Rooms where values go in and values come out, so that the same logic runs under a fake clock.
CORE = next(
    contract["source_modules"]
    for contract in tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    if contract["id"] == "core"
)
ASKS_THE_WORLD = {
    *(("time", name) for name in ("sleep", "time", "monotonic", "perf_counter")),
    *(("os", name) for name in ("environ", "getenv")),
    *(("datetime", name) for name in ("now", "utcnow")),
}
READS_THE_WALL_CLOCK = {
    "gpu_sidecar/http_server.py",  # beside the monotonic clock, in each answer
    "gpu_sidecar/service.py",  # beside the monotonic clock, for each sample
    "gpu_sidecar/sources/base.py",  # beside the monotonic clock, for each gap
    "stt_load/cli/probe.py",  # when the one utterance of a probe was
    "stt_load/cli/tts.py",  # when a benchmark began
    "stt_load/locust_plugin/hooks.py",  # once, for Locust
    "stt_load/net/sockets.py",  # kernel stamps
    "stt_load/run/run.py",  # once a run
    "stt_load/run/worker_report.py",  # once a run
    "stt_load/server/kernel_stamps.py",  # kernel stamps
    "stt_load/sidecar/client.py",  # once
}
VAGUE_NAMES = {"utils", "helpers", "manager", "util", "helper", "common", "misc"}
FRAGMENT_STARTS = {"Of", "As", "That", "For", "By", "With"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_neither_waits_nor_asks_the_time_or_the_environment() -> None:
    found = []
    for room in CORE:
        place = CHECKOUT / room.replace(".", "/")
        for path in sorted(place.rglob("*.py")) or [place.with_suffix(".py")]:
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    asked = {(node.value.id, node.attr)}
                elif isinstance(node, ast.ImportFrom):
                    asked = {(str(node.module), alias.name) for alias in node.names}
                else:
                    continue
                found += [f"{path.relative_to(CHECKOUT)}:{node.lineno} {pair}" for pair in asked & ASKS_THE_WORLD]
    assert not found


def test_the_wall_clock_is_read_only_where_a_moment_is_named_or_a_kernel_stamp_is_converted() -> None:
    """It may be set at any moment: what lasts, or comes before something else, is told by the monotonic clock."""
    found = {
        path.relative_to(CHECKOUT).as_posix()
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.time"
    }
    assert found == READS_THE_WALL_CLOCK


def test_the_log_of_the_program_is_the_one_that_makes_texts_printable() -> None:
    """A logger of another name would write what a server says as it is."""
    found = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path in SOURCES
        if path.is_relative_to(CHECKOUT / "stt_load") and path.name != "log.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger"
        if not (isinstance(node.args[0], ast.Constant) and "stt_load" not in str(node.args[0].value))
    ]
    assert not found


def test_the_sidecar_needs_the_standard_library_alone() -> None:
    """It runs on GPU hosts that have nothing but Python."""
    imported = set()
    for path in (CHECKOUT / "gpu_sidecar").rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"gpu_sidecar"}


@pytest.mark.parametrize(
    "module", ["stt_load", "stt_load.config", "stt_load.report.report_files", "stt_load.net.websocket"]
)
def test_importing_it_patches_nothing(module: str) -> None:
    """Importing locust patches the process, so nothing but locustfiles and Locust's own plug-in may do it."""
    look = f"import sys, {module}; print(*sorted({{'locust', 'gevent'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


def test_importing_the_package_reads_and_opens_nothing() -> None:
    look = "import sys; before = set(sys.modules); import stt_load; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["stt_load"]


def test_no_name_hides_what_is_in_it() -> None:
    assert not [path.name for path in SOURCES if VAGUE_NAMES & set(path.stem.split("_"))]


def test_every_module_says_what_it_is() -> None:
    assert not [str(path) for path in SOURCES if path.name != "__main__.py" and not ast.get_docstring(parsed(path))]


def test_no_docstring_begins_in_mid_sentence() -> None:
    """A docstring is read on hover, away from its surroundings: "That of this process." says nothing there."""
    found = []
    for path in EVERYTHING:
        for node in ast.walk(parsed(path)):
            if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            words = (ast.get_docstring(node) or "").split()
            if words and words[0] in FRAGMENT_STARTS:
                found.append(f"{path.relative_to(CHECKOUT)}: {getattr(node, 'name', 'module')}: {' '.join(words[:8])}")
    assert not found, "\n".join(found)

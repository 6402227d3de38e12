"""Dialects of other installed packages: found by entry point, loaded when they are asked for, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from acme import install_package
from walkthrough import CHECKOUT, follow, steps_of

pytestmark = pytest.mark.slow

STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_package(tmp_path_factory.mktemp("acme"))


def run(line: list[str], *places: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    return subprocess.run(line, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S)


def pretend_package(folder: Path, name: str, entry_point: str, source: str = "") -> Path:
    """What an installed package looks like: a module and its metadata with one entry point."""
    metadata = folder / f"{name}-2.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[stt_load.dialects]\n{entry_point}\n", encoding="utf-8")
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return folder


def test_a_dialect_of_another_package_is_listed_with_it_and_described(site: Path) -> None:
    listed = run([*STT_LOAD, "dialects"], site)
    assert listed.returncode == 0, listed.stderr
    (line,) = [line for line in listed.stdout.splitlines() if "acme" in line]
    assert line.split()[:4] == ["acme", "acme-stt", "1.0", "ws://localhost:7000/listen"]
    described = run([*STT_LOAD, "dialects", "acme"], site)
    assert described.returncode == 0, described.stderr
    assert "utterances end by      client" in described.stdout


def test_it_meets_the_conformance_suite_from_outside(site: Path, tmp_path: Path) -> None:
    for step in steps_of("Add a dialect")[3:5]:
        follow(step, tmp_path)
    suite = ["tests/dialects/test_conformance.py", "--conversations", str(tmp_path / "tests/dialects/conversations")]
    done = run([sys.executable, "-m", "pytest", "-q", *suite], site)
    assert done.returncode == 0, done.stdout
    assert "acme" not in done.stdout
    assert "passed" in done.stdout


def test_without_it_the_name_is_not_known() -> None:
    done = run([*STT_LOAD, "run", "--dialect", "acme"])
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: --dialect: 'acme' is not known: see `stt-load dialects`"]


BROKEN = {
    "can't be imported: ModuleNotFoundError: No module named 'gone'": ("acme = gone:ACME", ""),
    "can't be imported: AttributeError: module 'broken' has no attribute 'ACME'": ("acme = broken:ACME", ""),
    "can't be imported: ZeroDivisionError: division by zero": ("acme = broken:ACME", "ACME = 1 / 0"),
    "must be a DialectRow with a subclass of Dialect": ("acme = broken:ACME", "ACME = 'acme'"),
    "entry point and row must have the same name": (
        "acme = broken:ACME",
        "from stt_load.dialects.registry import DIALECTS\nACME = DIALECTS['vosk']",
    ),
    "can't be made: TypeError: Can't instantiate abstract class Acme": (
        "acme = broken:ACME",
        "from stt_load.dialects.base import Dialect\nfrom stt_load.dialects.row import DialectRow\n"
        "class Acme(Dialect): pass\n"
        "ACME = DialectRow(name='acme', summary='x', default_url='ws://x', dialect=Acme)",
    ),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_one_that_cannot_be_used_is_one_line_where_it_is_asked_for_and_in_nobodys_way(
    reason: str, tmp_path: Path
) -> None:
    folder = pretend_package(tmp_path, "broken", *BROKEN[reason])
    asked = run([*STT_LOAD, "run", "--dialect", "acme"], folder)
    (line,) = asked.stderr.splitlines()
    assert asked.returncode == 2
    assert line.startswith("error: --dialect: acme of broken 2.0 (")
    assert reason in line
    listed = run([*STT_LOAD, "dialects"], folder)
    assert listed.returncode == 0, listed.stderr
    assert f"acme  broken 2.0  can't be used: {line.removeprefix('error: --dialect: ')}" in listed.stdout
    assert run([*STT_LOAD, "dialects", "vosk"], folder).returncode == 0


@pytest.mark.parametrize("taken", ["acme", "vosk"])
def test_a_name_that_two_packages_claim_is_nobodys(taken: str, site: Path, tmp_path: Path) -> None:
    other = pretend_package(tmp_path, "other", f"{taken} = other:ROW")
    asked = run([*STT_LOAD, "dialects", taken], site, other)
    first = {"acme": "acme-stt 1.0", "vosk": "stt-load"}[taken]
    assert asked.returncode == 2
    assert asked.stderr.splitlines() == [
        f"error: '{taken}' comes from {first} and other 2.0: uninstall all but one of them, or rename theirs"
    ]
    assert run([*STT_LOAD, "dialects", "parakeet"], site, other).returncode == 0


def test_help_looks_for_no_package(tmp_path: Path) -> None:
    """It must come at once, however many packages are installed."""
    look = (
        "import sys\nfrom stt_load.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('importlib.metadata' in sys.modules)"
    )
    folder = pretend_package(tmp_path, "broken", "acme = broken:ACME", "raise SystemExit('imported')")
    for words in (["--help"], ["run", "--help"]):
        done = run([sys.executable, "-c", look, *words], folder)
        assert "imported" not in done.stderr
        assert words != ["--help"] or done.stdout.splitlines()[-1] == "False"

"""The wheel: what it carries, and that an installed copy works away from the checkout."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import gpu_sidecar
import stt_load

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]
PATIENCE_S = 180.0
Installed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without isolation, so without the network: what builds it is in the dependency group `dev`."""
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
        is_script = line[0] in ("stt-load", "gpu-sidecar")
        program = [str(site / "bin" / line[0]), *line[1:]] if is_script else [sys.executable, *line]
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
        for suffix in ("py", "html", "css")
        for path in (CHECKOUT / package).rglob(f"*.{suffix}")
    }
    assert {"stt_load/report/templates/layout.html", "stt_load/report/templates/charts.css"} <= sources
    data = {"stt_load/py.typed", "gpu_sidecar/py.typed", "stt_load/report/summary.schema.json"}
    data |= {f"stt_load/audio/shipped_texts/{name}" for name in ("english.txt", "standard.json")}
    locustfiles = {f"stt_load/_locustfiles/{path.name}" for path in (CHECKOUT / "locustfiles").glob("*.py")}
    assert len(locustfiles) == 5
    assert not (sources | data | locustfiles) - carried


def metadata_file(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return archive.read(path).decode("utf-8")


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return Parser().parsestr(metadata_file(wheel, "METADATA"))


def test_the_wheel_has_a_command_for_each_of_its_programs(wheel: Path) -> None:
    entry_points = configparser.ConfigParser()
    entry_points.read_string(metadata_file(wheel, "entry_points.txt"))
    assert dict(entry_points["console_scripts"]) == {
        "stt-load": "stt_load.__main__:main",
        "gpu-sidecar": "gpu_sidecar.entry_point:main",
    }


def test_the_version_is_that_of_both_programs(metadata: Message) -> None:
    """Each says its own, since they share no import, and one wheel carries both."""
    assert metadata["Version"] == stt_load.__version__ == gpu_sidecar.__version__


def test_the_metadata_names_the_supported_pythons_and_no_extra_for_developers(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []
    supported = {text.rpartition(" ")[2] for text in classifiers if re.search(r"Python :: 3\.", text)}
    assert metadata["Requires-Python"] == ">=3.11"
    assert supported == {"3.11", "3.12", "3.13"}
    assert "Typing :: Typed" in classifiers
    assert metadata.get_all("Provides-Extra") == ["demo", "otel", "report"]


def test_the_readme_has_no_link_that_leads_nowhere_from_pypi(metadata: Message) -> None:
    """Links to files of the checkout are plain words there."""
    text = metadata.get_payload()
    assert isinstance(text, str)
    assert text.startswith("# stt-load")
    assert "docs/report.md" in text
    assert [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("https://", "#"))] == []


def test_no_message_tells_anybody_to_install_what_is_not_on_pypi() -> None:
    """Whoever registers the name there would be installed."""
    sources = [path for package in ("stt_load", "gpu_sidecar") for path in (CHECKOUT / package).rglob("*.py")]
    pages = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")]
    bare = re.compile(r"pip install [^\n]*?(?<![/\w-])stt-load\b(?!\])")
    texts = {path: path.read_text(encoding="utf-8") for path in [*sources, *pages]}
    assert [f"{path}: {found[0]}" for path, text in texts.items() if (found := bare.search(text))] == []


def test_the_wheel_carries_no_tests_and_no_leftovers(wheel: Path) -> None:
    folders = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    (folder,) = folders - {"stt_load", "gpu_sidecar"}
    assert folder.endswith(".dist-info")
    test_servers = {path.name for path in (CHECKOUT / "tests" / "servers").glob("*.py")} - {"__init__.py"}
    assert test_servers
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if Path(name).name in test_servers]


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
    for program in (("gpu-sidecar",), ("-m", "gpu_sidecar")):
        done = installed(*program, "--version")
        assert (done.returncode, done.stdout.strip()) == (0, gpu_sidecar.__version__), done.stderr

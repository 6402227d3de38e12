"""The documents against the code: every name in them exists, and every word that a report prints is explained."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from stt_load.cli import COMMANDS, cli
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.row import DialectRow
from stt_load.errors import ExitCode, Outcome
from stt_load.metrics.slo import DEFAULT_SLOS_OF, METRICS
from stt_load.metrics.validity import CONDITIONS, Condition
from stt_load.options import OPTIONS
from stt_load.records import Kind
from stt_load.report.folder import WRITERS
from stt_load.report.model import Verdict
from stt_load.report.table import COLUMNS
from stt_load.run.plan import Phase
from stt_load.tts.apis import TTS_APIS, TtsApi
from stt_load.uploads.apis import UPLOADS, UploadRow

CHECKOUT = Path(__file__).parents[1]
DOCUMENTS = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((CHECKOUT / "docs").glob("*.md")),
]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
DESIGN = (CHECKOUT / "docs" / "design.md").read_text(encoding="utf-8")

RAW_FILES = {"run.json", "stages.jsonl", "utterances.jsonl", "gpu.jsonl", "host.jsonl"}
# Options of programs that are not ours, where a document shows their command line.
OTHERS = {"--build": "docker compose", "--scale": "docker compose", "--rm": "docker compose run"}
OTHERS |= {"--no-deps": "docker compose run", "--entrypoint": "docker compose run", "--ulimit": "docker run"}
OTHERS |= {"--sysctl": "docker run", "--cpus": "docker run", "--hostname": "docker run"}
OTHERS |= {"--pcm-input": "WhisperLiveKit", "--profile": "docker compose", "--strict": "mypy"}

_BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def code_of(text: str) -> str:
    """Fenced blocks and inline code: where a name is a name."""
    rest = _BLOCK.sub("", text)
    blocks = _BLOCK.findall(text)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", rest)])


def flags_of(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text))


def help_of(*module: str) -> str:
    done = subprocess.run([sys.executable, "-m", *module, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def click_flags(command: click.Command) -> Iterable[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from click_flags(inner)


def first_cells(text: str) -> set[str]:
    """What stands in code in the first column of any table."""
    rows = re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.fixture(scope="session")
def known_flags() -> set[str]:
    """Ours, Locust's (asked in a process of its own: importing it patches the process), the sidecar's, the benches'."""
    ours = {f"--{option.name}" for option in OPTIONS} | set(click_flags(cli))
    scripts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "bench").glob("*.py")]
    benches = {"--help"}.union(*(re.findall(r"(--[a-z-]+)", script) for script in scripts))
    return ours | benches | flags_of(help_of("locust")) | flags_of(help_of("gpu_sidecar")) | set(OTHERS)


@each_document
def test_every_option_in_it_exists(path: Path, known_flags: set[str]) -> None:
    assert not flags_of(code_of(path.read_text(encoding="utf-8"))) - known_flags


@each_document
def test_every_command_in_it_exists(path: Path) -> None:
    code = code_of(path.read_text(encoding="utf-8"))
    assert set(re.findall(r"\bstt-load ([a-z]+)", code)) <= set(COMMANDS)
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake ([a-z]+)", code)) <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bclips (make|show|\w+) ", code)) <= {"make", "show"}


@each_document
def test_every_link_in_it_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        aim = (path.parent / file).resolve() if file else path
        assert aim.is_relative_to(CHECKOUT)
        assert aim.is_file(), target
        if anchor:
            assert anchor in anchors_of(aim.read_text(encoding="utf-8")), target


def anchors_of(text: str) -> set[str]:
    """Of each heading, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_every_file_of_the_checkout_that_it_names_is_there(path: Path) -> None:
    named = re.findall(
        r"(?<![\w./-])(?:stt_load|gpu_sidecar|locustfiles|tests|docs|bench)/[\w./-]*", code_of(path.read_text())
    )
    for name in named:
        if "NAME" not in name:
            assert (CHECKOUT / name).exists(), name


@each_document
def test_every_environment_variable_in_it_is_read_by_something(path: Path) -> None:
    sources = [file for folder in ("stt_load", "gpu_sidecar", "tests") for file in (CHECKOUT / folder).rglob("*.py")]
    texts = [file.read_text(encoding="utf-8") for file in sources if file != Path(__file__)]
    texts.append((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))
    of_options = {option.env_var for option in OPTIONS}
    for name in set(re.findall(r"\b(?:STT_LOAD|GPU_SIDECAR)_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))):
        assert name in of_options or any(name in text for text in texts), name


@each_document
def test_it_names_no_folder_of_anybodys_machine(path: Path) -> None:
    assert not re.search(r"(?<![\w.])/(work|root|home|tmp|mnt|opt|Users)\b", path.read_text(encoding="utf-8"))


@each_document
def test_nothing_in_it_is_still_to_be_filled_in(path: Path) -> None:
    assert not re.search(r"@@|TODO|TBD|FIXME", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("heading", dict.fromkeys(heading for columns in COLUMNS.values() for heading in columns))
def test_the_readme_explains_each_column_of_the_table(heading: str) -> None:
    assert heading in first_cells(README)


def test_the_table_in_the_readme_has_the_columns_of_today() -> None:
    (block,) = [
        text for text in re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL) if "exit code" in text
    ]
    head = block.partition("───")[0]
    assert [word for heading in COLUMNS[Kind.STREAM] for word in heading.split() if word not in head] == []


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.ABORTED])
def test_the_readme_explains_each_verdict_of_a_stage(verdict: Verdict) -> None:
    assert verdict in first_cells(README)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.DONE])
def test_the_readme_explains_each_phase(phase: Phase) -> None:
    assert phase in first_cells(README)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_readme_explains_each_outcome(outcome: Outcome) -> None:
    assert f"`{outcome}`" in README


def test_the_readme_lists_each_exit_code_once() -> None:
    listed = re.findall(r"^\| (\d) \|", README, re.MULTILINE)
    assert listed == [str(int(code)) for code in ExitCode]


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_the_readme_says_what_to_do_about_each_validity_condition(condition: Condition) -> None:
    assert f"| {condition.name} | " in README


@pytest.mark.parametrize("metric", METRICS)
def test_the_readme_names_each_metric_that_a_bound_can_be_set_on(metric: str) -> None:
    assert f"`{metric}`" in README


@pytest.mark.parametrize("slo", dict.fromkeys(slo for slos in DEFAULT_SLOS_OF.values() for slo in slos))
def test_the_readme_names_the_default_objectives(slo: str) -> None:
    assert f"`{slo}`" in README


@pytest.mark.parametrize("row", [*DIALECTS.values(), *UPLOADS.values(), *TTS_APIS.values()], ids=lambda row: row.name)
def test_the_readme_has_a_line_for_each_dialect_and_each_api(row: DialectRow | UploadRow | TtsApi) -> None:
    assert f"| `{row.name}` | `{row.default_url}` | " in README


@pytest.mark.parametrize("name", sorted(RAW_FILES | set(WRITERS)))
def test_each_file_of_a_run_folder_is_named_in_readme_and_in_files_md(name: str) -> None:
    assert name in first_cells(README)
    assert f"`{name}`" in (CHECKOUT / "docs" / "files.md").read_text(encoding="utf-8")


def test_the_design_names_each_package_and_numbers_its_decisions() -> None:
    packages = {f"stt_load/{file.parent.name}" for file in (CHECKOUT / "stt_load").glob("*/__init__.py")}
    assert packages | {"gpu_sidecar"} <= first_cells(DESIGN)
    numbers = re.findall(r"^### (\d+)\. ", DESIGN, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]

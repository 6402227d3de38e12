"""The documents are checked against the code: what they name exists, and what a report prints is explained in them.

Each test looks at all documents and collects every problem, so that one run tells them all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

from stt_load.cli import COMMANDS, cli
from stt_load.clips.layouts import LAYOUTS
from stt_load.conversation.registry import CONVERSATIONS
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.row import DialectRow
from stt_load.errors import ExitCode, Outcome
from stt_load.kinds import ALL_KINDS, CONVERSATION, KINDS, STREAM, TTS, UPLOAD, LoadKind
from stt_load.locust_plugin.request_origin import HOSTS_FLAG
from stt_load.metrics.figures import FIGURES, SAMPLED_DEVICES, Figure, Place, in_table
from stt_load.metrics.validity import CONDITIONS
from stt_load.options import OPTIONS
from stt_load.report.model import Verdict
from stt_load.report.report_files import WRITERS
from stt_load.report.resources import RESOURCE_COLUMNS
from stt_load.run.plan import Phase
from stt_load.server_metrics.known import KNOWN_METRICS
from stt_load.telemetry.exported import EXPORTED
from stt_load.tts.apis import TTS_APIS, TtsApi
from stt_load.tts_benchmark.table import AFTER_TEXT, STREAMED, TOTALS
from stt_load.uploads.apis import UPLOAD_APIS, UploadApi

CHECKOUT = Path(__file__).parents[1]
DOCS = sorted((CHECKOUT / "docs").glob("*.md"))
DOCUMENTS = {
    path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS)
}
RAW_FILES = {"run.json", "stages.jsonl", "utterances.jsonl", "gpu.jsonl", "host.jsonl", "server.jsonl", "words.jsonl"}
PAGE_OF_KIND = {
    STREAM: "docs/report.md",
    UPLOAD: "docs/uploads.md",
    TTS: "docs/tts.md",
    CONVERSATION: "docs/speech-out.md",
}
README_MAX_LINES = 200

OPTIONS_OF_OTHER_PROGRAMS = {
    **dict.fromkeys(("--build", "--scale", "--rm", "--no-deps", "--entrypoint", "--profile"), "docker compose"),
    **dict.fromkeys(("--ulimit", "--sysctl", "--cpus", "--hostname"), "docker run"),
    **dict.fromkeys(("--target", "--build-arg"), "docker build"),
    **dict.fromkeys(("--for", "--from-literal", "--ignore-not-found", "--overwrite", "--replicas"), "kubectl"),
    **dict.fromkeys(("--current", "--namespace"), "kubectl config"),
    "--enable-feature": "prometheus",
    "--pcm-input": "WhisperLiveKit",
    "--vad-endpointing": "wyoming-faster-whisper",
    "--branch": "otava",
    "--conversations": "pytest in this checkout",
    "--strict": "mypy",
    **dict.fromkeys(("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size"), "chromium"),
    "--screenshot": "chromium",
    "--force": "pngquant",
    "--output": "pngquant",
}

_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def code_of(text: str) -> str:
    """Returns fenced blocks and inline code: the places where a name is a name."""
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
    """Returns what stands in code in the first column of any table."""
    rows = re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def anchors_of(text: str) -> set[str]:
    """Returns the anchor of each heading, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(text: str) -> list[str]:
    """Returns every link and image that is not a web address."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", text))
    return [target for target in targets if not target.startswith("https://")]


@cache
def known_flags() -> set[str]:
    """Returns the options of stt-load, Locust, the sidecar and the benches, and those of programs that are not ours.

    Locust is asked in a process of its own, because importing it patches the process.
    """
    ours = {f"--{option.name}" for option in OPTIONS} | set(click_flags(cli)) | {HOSTS_FLAG}
    scripts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "bench").glob("*.py")]
    benches = {"--help"}.union(*(re.findall(r"(--[a-z-]+)", script) for script in scripts))
    return (
        ours | benches | flags_of(help_of("locust")) | flags_of(help_of("gpu_sidecar")) | {*OPTIONS_OF_OTHER_PROGRAMS}
    )


def test_every_option_in_the_documents_exists() -> None:
    unknown = {name: flags_of(code_of(text)) - known_flags() for name, text in DOCUMENTS.items()}
    assert not {name: flags for name, flags in unknown.items() if flags}


def test_every_command_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    problems = []
    for name, text in DOCUMENTS.items():
        code = code_of(text)
        problems += [f"{name}: stt-load {word}" for word in set(re.findall(r"\bstt-load ([a-z]+)", code)) - {*COMMANDS}]
        problems += [f"{name}: make {word}" for word in set(re.findall(r"\bmake ([a-z]+)", code)) - targets]
        problems += [
            f"{name}: clips {word}"
            for word in re.findall(r"\bstt-load clips (\w+)", code)
            if word not in ("make", "show")
        ]
    assert problems == []


def test_every_link_leads_to_a_file_and_a_heading_of_the_checkout() -> None:
    problems = []
    for name, text in DOCUMENTS.items():
        for target in links_of(text):
            file, _, anchor = target.partition("#")
            aim = (CHECKOUT / name).parent.joinpath(file).resolve() if file else CHECKOUT / name
            if not aim.is_relative_to(CHECKOUT) or not aim.is_file():
                problems.append(f"{name}: {target}: no such file")
            elif anchor and anchor not in anchors_of(aim.read_text(encoding="utf-8")):
                problems.append(f"{name}: {target}: no such heading")
    assert problems == []


def is_example(name: str) -> bool:
    """A file that a reader is told to write."""
    return "NAME" in name or "acme" in name


def test_every_file_of_the_checkout_that_is_named_is_there() -> None:
    """Files of the package may be named from the package on, as `net/tcp.py`. The tests of reliability.md are named
    from tests/ on, and looked for in test_reliability_page.py."""
    package = CHECKOUT / "stt_load"
    rooms = "|".join(folder.name for folder in package.iterdir() if folder.is_dir())
    whole = re.compile(r"(?<![\w./-])(?:stt_load|gpu_sidecar|locustfiles|tests|docs|bench|deploy)/[\w./-]*+(?!::)")
    inner = re.compile(rf"(?<![\w./-])(?:{rooms})/[\w/]+\.py(?!::)")
    missing = []
    for name, text in DOCUMENTS.items():
        code = code_of(text)
        paths = {found: CHECKOUT / found for found in whole.findall(code) if not is_example(found)}
        paths |= {found: package / found for found in inner.findall(code)}
        missing += [f"{name}: {found}" for found, path in paths.items() if not path.exists()]
    assert missing == []


def test_every_class_that_the_design_names_is_in_the_code() -> None:
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (CHECKOUT / "stt_load").rglob("*.py"))
    named = set(re.findall(r"`([A-Z][a-z]\w*[A-Z]\w*)`", DOCUMENTS["docs/design.md"]))
    assert named
    assert {name for name in named if f"class {name}" not in sources} == set()


def test_every_module_of_ours_that_is_named_is_there() -> None:
    """The changelog is left out: it names modules of the past too."""
    dotted = re.compile(r"\b(?:stt_load|gpu_sidecar)(?:\.[a-z_]\w*)+")
    problems = []
    for name, text in DOCUMENTS.items():
        if name == "CHANGELOG.md":
            continue
        for found in dotted.findall(code_of(text)):
            path = CHECKOUT.joinpath(*found.split("."))
            if not is_example(found) and not any(
                place.exists() for place in (path, path.with_suffix(".py"), path.parent.with_suffix(".py"))
            ):
                problems.append(f"{name}: {found}")
    assert problems == []


def test_every_environment_variable_in_the_documents_is_read_by_something() -> None:
    sources = [file for folder in ("stt_load", "gpu_sidecar", "tests") for file in (CHECKOUT / folder).rglob("*.py")]
    read = "\n".join(file.read_text(encoding="utf-8") for file in sources if file != Path(__file__))
    read += (CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8")
    read += "\n".join(option.env_var for option in OPTIONS)
    variable = re.compile(r"\b(?:STT_LOAD|STT_SERVE|GPU_SIDECAR)_[A-Z_]*[A-Z]\b")
    unread = {
        (name, found) for name, text in DOCUMENTS.items() for found in variable.findall(text) if found not in read
    }
    assert not unread


def test_no_document_has_a_folder_of_somebodys_machine_or_a_gap_to_be_filled() -> None:
    folder = re.compile(r"(?<![\w.])/(?:work|root|home|tmp|mnt|opt|Users)\b|@@|TODO|TBD|FIXME")
    assert not [(name, found) for name, text in DOCUMENTS.items() for found in folder.findall(text)]


def test_the_readme_is_short_and_shows_the_report_and_the_two_commands_first() -> None:
    lines = DOCUMENTS["README.md"].splitlines()
    assert len(lines) <= README_MAX_LINES
    first_screen = "\n".join(lines[:20])
    assert all(needed in first_screen for needed in ("docs/images/report.png", "make demo", "make test"))
    assert (CHECKOUT / "docs/images/report.png").stat().st_size < 200_000


def test_the_index_of_docs_links_every_page_and_the_readme_links_the_index() -> None:
    linked = set(links_of(DOCUMENTS["docs/README.md"]))
    assert {path.name for path in DOCS} - linked == {"README.md"}
    assert "docs/README.md" in links_of(DOCUMENTS["README.md"])


def columns_of(kind: LoadKind) -> list[str]:
    """Returns the headings of the main table."""
    return ["Conc", *(column.heading for _, column in in_table(kind)), "verdict"]


def test_every_column_is_explained_on_the_page_of_its_kind_of_load() -> None:
    """A page need not repeat what the pages of other kinds, which it links, explain."""
    pages = {kind: first_cells(DOCUMENTS[page]) for kind, page in PAGE_OF_KIND.items()}
    everywhere = set[str]().union(*pages.values())
    shared = set.intersection(*(set(columns_of(kind)) for kind in KINDS.values()))
    problems = [
        f"{PAGE_OF_KIND[kind]}: {heading}"
        for kind in KINDS.values()
        for heading in columns_of(kind)
        if heading not in (pages[STREAM] if kind is STREAM or heading in shared else everywhere)
    ]
    assert problems == []


def is_of_every_ladder(figure: Figure) -> bool:
    return figure.source not in SAMPLED_DEVICES and figure.place is not Place.LOAD


def test_the_sample_report_has_the_columns_of_today() -> None:
    """Those of a ladder without a GPU: columns that nothing fills are left out."""
    (block,) = [text for text in _BLOCK.findall(DOCUMENTS["README.md"]) if "exit code" in text]
    shown = [column.heading for figure, column in in_table(STREAM) if is_of_every_ladder(figure)]
    words = {word for heading in ("Conc", *shown, "verdict") for word in heading.split()}
    assert set(block.partition("───")[0].partition("\n")[2].split()) == words


def test_verdicts_phases_outcomes_and_exit_codes_are_explained() -> None:
    page = DOCUMENTS["docs/report.md"]
    words = {*Verdict, *Phase, *Outcome} - {Verdict.ABORTED, Verdict.ERROR, Phase.DONE}
    assert {str(word) for word in words} - first_cells(page) == set()
    assert re.findall(r"^\| (\d) \|", page, re.MULTILINE) == [str(int(code)) for code in ExitCode]
    assert [condition.name for condition in CONDITIONS if f"| {condition.name} | " not in page] == []


def test_every_column_in_the_documents_is_one_of_a_table_that_is_printed() -> None:
    printed = {heading for kind in KINDS.values() for heading in columns_of(kind)}
    printed |= {"device", *(column.heading for column in RESOURCE_COLUMNS), *TOTALS, *STREAMED, *AFTER_TEXT}
    table = re.compile(r"^\| column \|.*\n(?:\|.*\n)+", re.MULTILINE)
    named = {
        (name, cell) for name, text in DOCUMENTS.items() for rows in table.findall(text) for cell in first_cells(rows)
    }
    assert {(name, cell) for name, cell in named if cell not in printed} == set()
    documented = {cell for _, cell in named}
    assert printed - documented == set()


def test_the_default_objectives_are_named() -> None:
    defaults = {slo for kind in KINDS.values() for slo in kind.default_slos}
    assert [slo for slo in sorted(defaults) if f"`{slo}`" not in DOCUMENTS["docs/report.md"]] == []
    assert [slo for slo in STREAM.default_slos if f"`{slo}`" not in DOCUMENTS["README.md"]] == []


def server_cell(row: DialectRow | UploadApi | TtsApi) -> str:
    """The summary of the row, with a link to the server's home page where the row has one."""
    homepage = row.facts().get("homepage")
    return f"{row.summary} ([server]({homepage}))" if homepage else row.summary


def test_the_tables_of_dialects_are_those_of_today() -> None:
    """After a meant change, STT_LOAD_REWRITE_GOLDEN=1 pytest tests/test_docs.py writes them."""
    outdated = []
    tables = {
        "dialects.md": DIALECTS,
        "uploads.md": UPLOAD_APIS,
        "tts.md": TTS_APIS,
        "speech-out.md": CONVERSATIONS,
    }
    for name, registry in tables.items():
        rows = "".join(f"| `{row.name}` | `{row.default_url}` | {server_cell(row)} |\n" for row in registry.values())
        table = f"<!-- dialects -->\n| `--dialect` | default URL | server |\n|---|---|---|\n{rows}<!-- /dialects -->"
        path = CHECKOUT / "docs" / name
        text = path.read_text(encoding="utf-8")
        updated = re.sub(r"<!-- dialects -->.*<!-- /dialects -->", lambda _, table=table: table, text, flags=re.DOTALL)
        if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
            path.write_text(updated, encoding="utf-8")
        elif updated != text or table not in text:
            outdated.append(name)
    assert outdated == []


def test_the_table_of_layouts_is_that_of_today() -> None:
    """After a meant change, STT_LOAD_REWRITE_GOLDEN=1 pytest tests/test_docs.py writes it."""
    path, text = CHECKOUT / "docs/clips.md", DOCUMENTS["docs/clips.md"]
    rows = "".join(f"| {row.name} | {row.listing} | {row.audio} |\n" for row in LAYOUTS)
    table = f"<!-- layouts -->\n| data set | list | audio |\n|---|---|---|\n{rows}<!-- /layouts -->"
    updated = re.sub(r"<!-- layouts -->.*<!-- /layouts -->", lambda _: table, text, flags=re.DOTALL)
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        path.write_text(updated, encoding="utf-8")
    else:
        assert text == updated


def exported_table() -> str:
    rows = "".join(f"| `{row.prometheus_name}` | {row.kind} | {row.help}{_only(row.kinds)} |\n" for row in EXPORTED)
    return f"| name | kind | what it is |\n|---|---|---|\n{rows}"


def _only(kinds: frozenset[LoadKind]) -> str:
    return "" if kinds == ALL_KINDS else f" ({', '.join(kind.name for kind in KINDS.values() if kind in kinds)} only)"


def known_metrics_table() -> str:
    rows = "".join(
        f"| {server} | {', '.join(f'`{metric}`' for metric in metrics)} |\n"
        for server, metrics in KNOWN_METRICS.items()
    )
    return f"| server | metrics |\n|---|---|\n{rows}"


def inputs_table() -> str:
    inputs = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    rows = "".join(
        f"| `{name}` | {given['description']} | {_default(str(given.get('default', '')))} |\n"
        for name, given in inputs.items()
    )
    return f"| input | | default |\n|---|---|---|\n{rows}"


def _default(text: str) -> str:
    return f"`{text}`" if text else ""


@pytest.mark.parametrize(
    ("document", "mark", "table"),
    [
        ("docs/metrics.md", "exported", exported_table),
        ("docs/metrics.md", "known", known_metrics_table),
        ("docs/ci.md", "inputs", inputs_table),
    ],
)
def test_a_table_in_a_document_is_that_of_today(document: str, mark: str, table: Callable[[], str]) -> None:
    """After a meant change, STT_LOAD_REWRITE_GOLDEN=1 pytest tests/test_docs.py writes it."""
    path = CHECKOUT / document
    text = path.read_text(encoding="utf-8")
    block = f"<!-- {mark} -->\n{table()}<!-- /{mark} -->"
    updated = re.sub(rf"<!-- {mark} -->.*<!-- /{mark} -->", lambda _: block, text, flags=re.DOTALL)
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        path.write_text(updated, encoding="utf-8")
    else:
        assert text == updated
        assert block in text


def test_every_file_of_a_run_folder_is_described() -> None:
    assert [name for name in sorted(RAW_FILES | set(WRITERS)) if f"`{name}`" not in DOCUMENTS["docs/files.md"]] == []


def test_the_design_defines_each_figure_that_takes_an_objective() -> None:
    defined = first_cells(DOCUMENTS["docs/design.md"])
    assert [row.field for row in FIGURES if row.has_slo and row.field not in defined] == []


def test_the_design_names_each_package_and_numbers_its_decisions() -> None:
    design = DOCUMENTS["docs/design.md"]
    packages = {f"stt_load/{file.parent.name}" for file in (CHECKOUT / "stt_load").glob("*/__init__.py")}
    assert (packages | {"gpu_sidecar"}) - first_cells(design) == set()
    numbers = re.findall(r"^### (\d+)\. ", design, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]

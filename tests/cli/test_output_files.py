"""Files that commands are told to write: what can't be meant is refused before anything is read or started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_run import made_run, made_uploads

from stt_load.cli import cli
from stt_load.errors import ConfigError
from stt_load.report.raw_files import UTTERANCES

COMMANDS = {
    "size": ("size", "{run}", "--callers", "30"),
    "ratio": ("ratio", "--from", "{run}", "--to", "{run}"),
    "stress": ("stress", "--from", "{uploads}"),
    "compare": ("compare", "{run}", "{other}"),
    "history": ("history", "{results}"),
}
FORMS = {
    "size": ("markdown", "json"),
    "ratio": ("save", "markdown"),
    "stress": ("markdown", "json"),
    "compare": ("markdown", "html", "json"),
    "history": ("html", "csv"),
}
EACH = [(name, form) for name, forms in FORMS.items() for form in forms]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    results = tmp_path_factory.mktemp("results")
    made_run((1, 5), per_stage=20).write(results / "run")
    made_run((1, 5), per_stage=20, seed=2).write(results / "other")
    made_uploads((1, 2), per_stage=20).write(results / "uploads")
    return {"results": str(results), **{name: str(results / name) for name in ("run", "other", "uploads")}}


def problems(name: str, places: dict[str, str], *more: str) -> tuple[str, ...]:
    done = CliRunner().invoke(cli, [*words(name, places), *more], standalone_mode=False)
    assert isinstance(done.exception, ConfigError), done.exception
    return done.exception.problems


def words(name: str, places: dict[str, str]) -> Sequence[str]:
    return [word.format(**places) for word in COMMANDS[name]]


@pytest.mark.parametrize(("name", "form"), EACH)
def test_a_file_that_cannot_be_meant_is_refused(name: str, form: str, places: dict[str, str], tmp_path: Path) -> None:
    raw = Path(places["run"], UTTERANCES)
    before = raw.read_bytes()
    wrong = ["", str(raw), str(tmp_path), str(tmp_path / "none" / "file")]
    found = [problems(name, places, f"--{form}", path) for path in wrong]
    assert all(len(lines) == 1 and lines[0].startswith(f"--{form}: ") for lines in found), found
    assert raw.read_bytes() == before


@pytest.mark.parametrize("name", FORMS)
def test_two_forms_in_one_file_are_refused(name: str, places: dict[str, str], tmp_path: Path) -> None:
    one, other = FORMS[name][:2]
    path = str(tmp_path / "both")
    assert problems(name, places, f"--{one}", path, f"--{other}", path) == (
        f"--{other}: {path} is that of --{one}: give each its own",
    )


@pytest.mark.parametrize(("name", "form"), EACH)
def test_a_form_is_printed_and_nothing_else(name: str, form: str, places: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    printed = CliRunner().invoke(cli, [*words(name, places), f"--{form}", "-"], standalone_mode=False)
    CliRunner().invoke(cli, [*words(name, places), f"--{form}", str(file)], standalone_mode=False)
    assert printed.stdout == file.read_text(encoding="utf-8").replace(str(file), "-")


def test_what_is_compared_and_what_is_used_is_not_overwritten(places: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "ratio.json"
    CliRunner().invoke(cli, [*words("ratio", places), "--save", str(file)], standalone_mode=False)
    before = file.read_bytes()
    line = f"--json: {file} is a file that is read here: give another name"
    assert problems("size", places, "--ratio", str(file), "--json", str(file)) == (line,)
    assert problems("compare", {**places, "other": str(file)}, "--json", str(file)) == (line,)
    assert file.read_bytes() == before


def test_a_copy_of_a_report_is_no_raw_file(places: dict[str, str]) -> None:
    done = CliRunner().invoke(cli, ["report", places["run"], "--output", f"{places['run']}/run.json"])
    assert isinstance(done.exception, ConfigError)
    assert "nothing can rebuild" in str(done.exception)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_one_line(places: dict[str, str], tmp_path: Path) -> None:
    closed = str(tmp_path / "closed")
    Path(closed).mkdir(mode=0)
    for command in [("report", closed), *COMMANDS.values()]:
        filled = [word.format(**dict.fromkeys(places, closed)) for word in command]
        done = CliRunner().invoke(cli, filled, standalone_mode=False)
        assert isinstance(done.exception, ConfigError), (command, done.exception)
        assert all("Permission denied" in line for line in done.exception.problems)

"""`stt-load report`: everything rebuilt from the raw files, printed, copied."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_run import made_run
from msgspec.structs import replace

from stt_load.cli.report import command
from stt_load.errors import ConfigError
from stt_load.report.report_files import WRITERS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_run(ladder=(1, 5), per_stage=5).write(tmp_path / "run")


def test_it_prints_the_table_and_rebuilds_every_file(folder: Path) -> None:
    result = CliRunner().invoke(command, [str(folder)])
    assert result.exit_code == 0
    assert "Conc" in result.output
    assert "holds 5 callers" in result.output
    assert all((folder / name).stat().st_size for name in WRITERS)


def test_png_writes_a_picture_of_each_chart_and_names_them(folder: Path) -> None:
    result = CliRunner().invoke(command, [str(folder), "--png"])
    assert "charts: eos-latency.png, error-rate.png" in result.output
    pictures = sorted(path.name for path in folder.glob("*.png"))
    assert sorted(result.output.split("charts: ")[1].strip().split(", ")) == pictures
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_strict_wants_proof_of_a_run_that_did_not_ask_for_it_and_keeps_the_run_as_it_was(folder: Path) -> None:
    def rebuilt(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(command, [str(folder), *words], standalone_mode=False)
        assert result.return_value == json.loads((folder / "summary.json").read_text())["exit_code"]
        return result.return_value, result.output

    code, output = rebuilt("--strict")
    assert code == 4
    assert "error_rate 0.0 % meets < 1%, but 5 utterances don't prove it: that needs about 299" in " ".join(
        output.split()
    )
    assert rebuilt()[0] == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"eos_latency_s": 5.0}, 3),
        ({"outcome": "interrupted"}, 4),
    ],
)
def test_it_ends_with_the_exit_code_of_the_run(tmp_path: Path, change: dict[str, object], code: int) -> None:
    made = made_run(ladder=(1, 5), per_stage=60)
    made.utterances = [replace(record, **change) for record in made.utterances]
    result = CliRunner().invoke(command, [str(made.write(tmp_path / "run"))], standalone_mode=False)
    assert result.return_value == code
    assert f"(exit code {code})" in result.output


@pytest.mark.parametrize(("suffix", "name"), [(".csv", "stages.csv"), (".JSON", "summary.json")])
def test_output_is_a_copy_chosen_by_its_suffix(folder: Path, tmp_path: Path, suffix: str, name: str) -> None:
    copy = tmp_path / f"copy{suffix}"
    assert CliRunner().invoke(command, [str(folder), "--output", str(copy)]).exit_code == 0
    assert copy.read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("output", "says"),
    [("copy.pdf", "must end in one of .csv, "), ("nowhere/copy.csv", "can't be written")],
)
def test_an_output_that_cannot_be_is_one_line(folder: Path, output: str, says: str) -> None:
    result = CliRunner().invoke(command, [str(folder), "--output", str(folder / output)])
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "nowhere")])
    assert isinstance(result.exception, ConfigError)
    assert len(result.exception.problems) == 1

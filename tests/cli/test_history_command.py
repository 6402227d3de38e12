"""`stt-load history`: exit codes, and that it overwrites nothing."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from made_run import made_run

from stt_load.cli.history import command
from stt_load.errors import ConfigError
from stt_load.report.build import build_report
from stt_load.report.json_file import summary_json


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six nights of a server that holds 20 callers."""
    folder = tmp_path_factory.mktemp("results")
    for night in range(6):
        write_night(folder, night, knee_at=20)
    return folder


def write_night(folder: Path, night: int, knee_at: int) -> None:
    made = made_run((10, 20, 40), 60, knee_at=knee_at, seed=night, gpu=False)
    made.run["started_at"] += 86_400 * night
    (folder / f"night-{night}").mkdir()
    report = build_report(made.run, made.transitions, [made.utterances])
    (folder / f"night-{night}" / "summary.json").write_text(summary_json(report), encoding="utf-8")


def test_a_check_ends_with_the_exit_code_that_it_prints(results: Path) -> None:
    fine = CliRunner().invoke(command, [str(results), "--check"], standalone_mode=False)
    assert (fine.return_value, "NO REGRESSION (exit code 0)" in fine.output) == (0, True)
    write_night(results, 6, knee_at=8)
    worse = CliRunner().invoke(command, [str(results), "--check"], standalone_mode=False)
    assert worse.return_value == 3
    assert "REGRESSION (exit code 3): callers held, p95" in worse.output
    assert "callers held: 0, before 20" in worse.output or "callers held: 10, before 20" in worse.output


def test_with_too_few_runs_it_says_that_it_can_not_judge(tmp_path: Path) -> None:
    write_night(tmp_path, 0, knee_at=20)
    told = CliRunner().invoke(command, [str(tmp_path), "--check"], standalone_mode=False)
    assert told.return_value == 4
    assert "CAN'T JUDGE (exit code 4): 0 good runs like it, and it takes 5." in told.output


def test_it_overwrites_nothing_unless_it_is_told_to(results: Path, tmp_path: Path) -> None:
    page, rows = tmp_path / "trends.html", tmp_path / "runs.csv"
    arguments = [str(results), "--html", str(page), "--csv", str(rows)]
    assert CliRunner().invoke(command, arguments, standalone_mode=False).return_value == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    rows.write_text("mine", encoding="utf-8")
    refused = CliRunner().invoke(command, arguments, standalone_mode=False).exception
    assert isinstance(refused, ConfigError)
    assert [
        problem.endswith("is there already: give another name, or --overwrite") for problem in refused.problems
    ] == [True, True]
    assert rows.read_text(encoding="utf-8") == "mine"
    assert CliRunner().invoke(command, [*arguments, "--overwrite"], standalone_mode=False).return_value == 0
    assert rows.read_text(encoding="utf-8").startswith("time,run,branch")


def test_a_word_that_runs_do_not_share_is_one_line(results: Path) -> None:
    refused = CliRunner().invoke(command, [str(results), "--same", "label,colour"], standalone_mode=False).exception
    assert isinstance(refused, ConfigError)
    assert str(refused) == "--same: colour is none of label, server, machine; or give nothing, with --same ''"

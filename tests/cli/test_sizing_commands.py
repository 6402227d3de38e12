"""`stt-load size`, `ratio` and `stress`: what is printed and written, how they end, and all wrong input at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_run import made_run, made_uploads

from stt_load.cli.ratio import command as ratio
from stt_load.cli.size import command as size
from stt_load.cli.stress import command as stress
from stt_load.errors import ConfigError, ExitCode

invoke = CliRunner().invoke


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    made_run((1, 5, 10), knee_at=5).write(folder / "stream")
    made_uploads((1, 2)).write(folder / "upload")
    return folder


def test_size_prints_the_decision_and_writes_it_as_markdown_and_json(runs: Path, tmp_path: Path) -> None:
    words = [str(runs / "stream"), "--callers", "300", "--price", "$1.10/h", "--duty", "60%"]
    files = ["--markdown", str(tmp_path / "size.md"), "--json", str(tmp_path / "size.json")]
    result = invoke(size, [*words, *files], standalone_mode=False)
    assert result.return_value == ExitCode.FINE
    sentence = next(line for line in result.output.splitlines() if "replicas" in line)
    assert sentence in (tmp_path / "size.md").read_text()
    data = json.loads((tmp_path / "size.json").read_text())
    assert data["sentence"] == sentence
    assert sentence.startswith(f"{data['deployment']['replicas']} replicas")
    assert "```yaml\napiVersion: autoscaling/v2" in (tmp_path / "size.md").read_text()
    assert max(map(len, result.output.splitlines())) <= 110
    assert "autoscaling/v2" not in result.output
    assert "apiVersion: autoscaling/v2" in invoke(size, [*words, "--kubernetes"], standalone_mode=False).output


def test_a_ratio_is_saved_under_its_name_and_size_uses_it(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = str(runs / "upload")
    result = invoke(ratio, ["--from", folder, "--to", folder, "--save"], standalone_mode=False)
    assert result.return_value == ExitCode.FINE
    assert "holds 1.00 times as much" in result.output
    sized = invoke(size, [folder, "--rate", "12/s", "--ratio", "ratio_config.json"], standalone_mode=False)
    assert sized.return_value == ExitCode.FINE
    assert "the other machine holds 1.00 times as much" in " ".join(sized.output.split())


def test_stress_judges_a_ladder_that_is_there(runs: Path, tmp_path: Path) -> None:
    files = ["--markdown", str(tmp_path / "stress.md"), "--json", str(tmp_path / "stress.json")]
    result = invoke(stress, ["--from", str(runs / "upload"), *files], standalone_mode=False)
    assert result.return_value == ExitCode.FINE  # twice as long at 2, and not more
    assert "No throttling was detected up to 2 threads." in result.output
    assert json.loads((tmp_path / "stress.json").read_text())["throttling_detected"] is False
    assert "| 2 |" in (tmp_path / "stress.md").read_text()


def problems_of(command: object, words: list[str]) -> tuple[str, ...]:
    result = invoke(command, words, standalone_mode=False)  # type: ignore[arg-type]
    assert isinstance(result.exception, ConfigError), result.output
    return result.exception.problems


def test_everything_that_is_wrong_for_size_is_told_at_once(runs: Path) -> None:
    words = ["--callers", "0", "--rate", "12", "--headroom", "all", "--duty", "0", "--price", "1", "--anyway"]
    names = [line.partition(":")[0] for line in problems_of(size, [str(runs / "stream"), *words])]
    assert names == ["--callers", "--rate", "--headroom", "--duty", "--price", "--anyway"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "give --callers N"),
        (["--rate", "3/s"], "--rate: callers who speak"),
        (["--callers", "3", "--ratio", "nowhere.json"], "--ratio: nowhere.json can't be read"),
    ],
)
def test_size_says_what_is_missing(runs: Path, words: list[str], problem: str) -> None:
    assert any(problem in line for line in problems_of(size, [str(runs / "stream"), *words]))


def test_everything_that_is_wrong_for_stress_is_told_before_it_starts() -> None:
    words = ["--threads", "1,x", "--dialect", "parakeet", "--hold", "soon", "--stt-url", "nonsense"]
    problems = problems_of(stress, words)
    assert [line.split()[0].rstrip(":") for line in problems] == ["--dialect", "--threads", "--stt-url", "--hold"]
    assert "number of threads" in problems[1]


def test_threads_go_from_few_to_many() -> None:
    problems = problems_of(stress, ["--threads", "4,2,1", "--stt-url", "nonsense"])
    assert problems[0] == "--threads 4,2,1: write them from few to many: each is held against the first"


def test_options_of_a_run_are_for_a_new_run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--from", str(runs / "upload")]
    (problem,) = problems_of(stress, [*words, "--threads", "1,2", "--at-least", "5"])
    assert problem.startswith("--threads, --at-least: is for a new run")
    monkeypatch.setenv("STT_LOAD_HOLD", "5s")  # for every run
    assert invoke(stress, words, standalone_mode=False).exception is None


def test_what_a_run_prints_is_no_json(runs: Path) -> None:
    (problem,) = problems_of(stress, ["--stt-url", "http://127.0.0.1:1", "--json", "-"])
    assert problem.startswith("--json -: a run prints its own report too")


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    for command, words in ((size, [nowhere, "--callers", "3"]), (stress, ["--from", nowhere])):
        assert "is not a folder" in problems_of(command, words)[0]
    assert "is not a folder" in problems_of(ratio, ["--from", nowhere, "--to", nowhere])[0]


def test_names_of_others_are_no_markup_in_markdown(tmp_path: Path) -> None:
    made = made_uploads((1, 2))
    made.run["run_id"] = "made"
    made.run["hosts"] = [{"host": "<b>|`x` [here](javascript:alert(1)) @octocat\n# title\x1b[2J", "cores": 2}]
    folder, file = str(made.write(tmp_path / "run")), tmp_path / "out.md"
    commands = (
        (size, [folder, "--callers", "9"]),
        (ratio, ["--from", folder, "--to", folder]),
        (stress, ["--from", folder]),
    )
    for command, words in commands:
        assert invoke(command, [*words, "--markdown", str(file)], standalone_mode=False).exception is None
        line = next(line for line in file.read_text().splitlines() if "octocat" in line)
        assert r"\<b\>\|\`x\` \[here\](javascript:alert(1)) @" in line
        assert "@octocat" not in line
        assert r"\\n\# title\\x1b" in line

"""A matrix of conditions: what is walked, what is read of its runs, and how it is shown."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_results import Done
from made_run import MadeRun, made_run, utterance

from stt_load.cli import cli
from stt_load.cli.matrix import command, environment_of_ladder
from stt_load.comparison.conditions import AXES, Condition, conditions_of
from stt_load.comparison.matrix import read_row
from stt_load.errors import ConfigError, ExitCode
from stt_load.options import OPTIONS

ASKED = {"codec": "none,mulaw8k", "snr": "clean,10", "concurrency": "1,10,20"}


def matrix(*words: Any) -> Done:
    """Runs `stt-load matrix` in this process."""
    done = CliRunner().invoke(cli, ["matrix", *map(str, words)], standalone_mode=False)
    if isinstance(done.exception, ConfigError):
        return Done(int(done.exception.exit_code), done.stdout, done.exception.problems)
    if done.exception is not None:
        raise done.exception
    return Done(int(done.return_value), done.stdout)


def run_that_holds(knee_at: int, wrong: int = 0) -> MadeRun:
    """A ladder that holds so many callers. `wrong`: in how many of ten utterances all words are wrong."""
    made = made_run((1, 10, 20), per_stage=60, knee_at=knee_at, gpu=False)
    for n, record in enumerate(made.utterances):
        if n % 10 < wrong:
            record.substitutions, record.wer = record.reference_words, 1.0
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Four conditions that were asked for; the runs of three are there."""
    place = tmp_path / "m"
    folders = ["01-clean-none", "02-clean-mulaw8k", "03-10-none", "04-10-mulaw8k"]
    run_that_holds(20).write(place / folders[0] / "20261129T120000Z-a")
    run_that_holds(8, wrong=2).write(place / folders[1] / "20261129T120100Z-b")
    run_that_holds(8, wrong=3).write(place / folders[2] / "20261129T120200Z-c")
    (place / "matrix.json").write_text(json.dumps({"asked": {"options": ASKED, "words": []}}))
    return place


def test_each_value_goes_with_each_other_in_the_order_in_which_they_were_typed() -> None:
    found = [condition.in_words() for condition in conditions_of({"codec": "opus, none", "level": "-30", "hold": "9s"})]
    assert found == ["--level -30 --codec opus", "--level -30 --codec none"]


def test_without_noise_there_is_one_condition_whatever_the_noise_would_be() -> None:
    conditions = conditions_of({"noise": "babble,street", "snr": "clean,20"})
    assert [c.in_words() for c in conditions] == [
        "--noise babble --snr clean",
        "--noise babble --snr 20",
        "--noise street --snr 20",
    ]
    assert conditions[0].options() == {"snr": "clean"}
    assert conditions[0].is_clean
    assert not conditions[1].is_clean


def test_the_name_of_a_folder_is_safe_whatever_the_noise_is() -> None:
    assert Condition({"noise": "../my noise/fan.wav", "snr": "10"}).label == "..-my-noise-fan.wav-10"


def test_every_option_that_is_walked_is_one() -> None:
    assert set(AXES) <= {option.name for option in OPTIONS}


def test_of_several_runs_of_a_condition_the_latest_that_is_believed_counts(tmp_path: Path) -> None:
    condition = Condition({"codec": "opus"})
    assert read_row(condition, tmp_path).folder is None
    broken_off = run_that_holds(20)
    broken_off.transitions[-1] |= {"aborted": True}
    broken_off.write(tmp_path / "20261129T120000Z-x")
    assert read_row(condition, tmp_path).folder is None
    run_that_holds(20).write(tmp_path / "20261129T120100Z-x")
    run_that_holds(8).write(tmp_path / "20261129T120200Z-x")
    row = read_row(condition, tmp_path)
    assert (row.holds, row.is_most, row.folder) == (10, False, tmp_path / "20261129T120200Z-x")
    unbelieved = run_that_holds(20)
    for transition in unbelieved.transitions:
        transition["reached"] = 0
    unbelieved.write(tmp_path / "20261129T120300Z-x")
    assert read_row(condition, tmp_path).folder == row.folder


def test_two_options_stand_against_each_other_and_what_is_missing_is_told(place: Path) -> None:
    done = matrix("--from", place)
    lines = [line.split() for line in done.printed.splitlines() if line.strip()]
    assert ["Callers", "held"] in lines
    assert ["snr", "codec", "none", "codec", "mulaw8k"] in lines
    assert ["clean", "20+", "10"] in lines
    assert ["10", "10", "-"] in lines
    assert ["WER%"] * 3 + ["p95"] * 3 in lines, "headings in two lines keep eight columns of figures within 100"
    at = lines.index(["WER", "in", "%", "at", "1"])
    clean, noisy = lines[at + 3 : at + 5]
    assert clean[0] == "clean"
    assert float(clean[2]) - float(clean[1]) == pytest.approx(20.0, abs=4.0)
    assert noisy[2] == "-"
    assert "no run came to its end: --snr 10 --codec mulaw8k" in " ".join(done.printed.split())
    assert done.code == 4


def test_what_is_not_to_be_believed_has_a_mark_and_its_reason(place: Path) -> None:
    late = run_that_holds(20)
    for record in late.utterances:
        record.frames_late = record.frames
    late.write(place / "04-10-mulaw8k" / "20261129T120300Z-d")
    done = matrix("--from", place)
    row = next(line.split() for line in done.printed.splitlines() if line.split()[:2] == ["10", "mulaw8k"])
    assert all(cell.endswith("?") for cell in row[2:])
    told = " ".join(done.printed.split())
    assert "pacing lag p99 ≤ 10 ms: not met: --snr 10 --codec mulaw8k at 1 and 10 and 20" in told
    assert done.code == 4


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (True, "no utterance came to a good end (under other conditions some did, so the dialect is right)"),
        (False, "the server speaks this dialect: not met"),
    ],
)
def test_a_server_that_hears_nothing_in_noise_speaks_its_dialect_all_the_same(
    place: Path, heard: bool, told: str
) -> None:
    if not heard:
        for folder in place.glob("0*"):
            shutil.rmtree(folder)
    made = made_run((1,), gpu=False)
    made.utterances = [
        utterance(stage=0, users=1, index=n, outcome="timed_out", error="no transcript", text="", understood=False)
        for n in range(60)
    ]
    made.write(place / "04-10-mulaw8k" / "20261129T120300Z-d")
    printed = " ".join(matrix("--from", place).printed.split())
    assert f"{told}: --snr 10 --codec mulaw8k at 1" in printed


def test_a_matrix_whose_conditions_all_hold_somebody_ends_well(place: Path) -> None:
    run_that_holds(8).write(place / "04-10-mulaw8k" / "20261129T120300Z-d")
    assert matrix("--from", place).code == 0


def test_one_that_holds_nobody_under_a_condition_misses_its_objectives(place: Path) -> None:
    made = run_that_holds(20)
    for record in made.utterances:
        record.eos_latency_s = 9.0
    made.write(place / "04-10-mulaw8k" / "20261129T120300Z-d")
    done = matrix("--from", place)
    assert done.code == 3
    held = next(line.split() for line in done.printed.splitlines() if line.split()[:2] == ["10", "10"])
    assert held == ["10", "10", "0"]


def test_the_data_of_a_matrix_has_every_figure_of_every_condition(place: Path) -> None:
    matrix("--from", place)
    data = json.loads((place / "matrix.json").read_text())
    assert data["asked"]["options"] == ASKED
    assert data["varying"] == ["snr", "codec"]
    assert [row["holds"] for row in data["conditions"]] == [20, 10, 10, None]
    first = data["conditions"][0]
    assert first["condition"] == {"snr": "clean", "codec": "none"}
    assert first["run"].endswith("01-clean-none/20261129T120000Z-a")
    assert [stage["users"] for stage in first["stages"]] == [1, 10, 20]
    assert all(0 <= stage["wer"] < 1 and stage["p95_s"] > 0 for stage in first["stages"])


def test_the_page_of_a_matrix_holds_all_in_one_file(place: Path) -> None:
    matrix("--from", place)
    page = (place / "matrix.html").read_text()
    for words in ("Callers held", "WER in % at 1", "Every condition", "codec mulaw8k", "20+", ">WER% at 1<"):
        assert words in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_folder_without_a_matrix_is_refused(tmp_path: Path) -> None:
    assert matrix("--from", tmp_path).errors == (
        f"{tmp_path}: there is no matrix.json of a matrix in it: name a folder that `stt-load matrix` made",
    )


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, place: Path) -> None:
    done = matrix("--codec", "mp3,opus", "--snr", "99", "--hold", "never", "--into", place)
    told = "\n".join(done.errors)
    assert done.code == 2
    for words in ("--codec: 'mp3'", "--snr: '99'", "--hold: 'never'", "its runs were asked for with other options"):
        assert told.count(words) == 1, told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give at least one of --speed, --join, --pause-in-speech"),
        (("--codec", "opus", "--dialect", "upload-nothing"), "--dialect"),
        (("--silence-callers", "0,0%"), "--silence-callers: '0,0%' names one thing twice"),
        (("--level", "-30,-30.0"), "--level: '-30,-30.0' names one thing twice"),
        (("--join", "60s,1m"), "--join: '60s,1m' names one thing twice"),
        (("--noise", "street, street"), "--noise: 'street,street' names one thing twice"),
        (("--codec", "none,"), "--codec: 'none,' has an empty value"),
        (
            ("--noise", "street,none"),
            "--noise: none is no file: name one, or babble, street, white; --snr clean is without",
        ),
        (("--codec", "opus", "--into", __file__), f"--into: {__file__} can't be written to"),
    ],
)
def test_a_matrix_needs_conditions_and_a_place_for_its_runs(words: tuple[str, ...], says: str) -> None:
    assert sum(says in line for line in matrix(*words).errors) == 1


def test_a_server_that_transcribes_nothing_is_refused_in_one_line() -> None:
    assert matrix("--dialect", "tts-openai", "--codec", "none,opus").errors == (
        "--dialect tts-openai: a matrix is about transcripts: name a recogniser's",
    )


def test_the_folder_of_a_run_is_no_place_for_a_matrix(place: Path) -> None:
    folder = next((place / "01-clean-none").iterdir())
    line = f"--into {folder}: it is the folder of a run: name one that isn't there yet, or leave --into out"
    assert line in matrix("--codec", "opus", "--into", folder).errors


def test_a_matrix_that_is_shown_takes_nothing_else(place: Path) -> None:
    assert matrix("--from", place, "--codec", "opus", "--nonsense").errors == (
        "--from: shows what was measured and starts nothing: leave out --codec, --nonsense",
    )


def test_a_matrix_is_known_as_one_before_its_first_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def broken_off(*_: object) -> int:
        seen.append(json.loads((tmp_path / "m" / "matrix.json").read_text()))
        return int(ExitCode.ABORTED)

    monkeypatch.setattr("stt_load.cli.matrix.run_locust", broken_off)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        done = matrix("--stt-url", url, "--codec", "none,opus", "--into", tmp_path / "m")
    assert done.code == ExitCode.ABORTED
    assert [row["condition"] for row in seen[0]["conditions"]] == [{"codec": "none"}, {"codec": "opus"}]
    assert "no run came to its end: --codec none; --codec opus" in matrix("--from", tmp_path / "m").printed


def test_each_condition_gets_a_plain_ladder_so_that_callers_can_be_held_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STT_LOAD_SPIKE", "1,5,1")
    assert "STT_LOAD_SPIKE" not in environment_of_ladder({})
    offered = {parameter.name for parameter in command.params}
    assert "concurrency" in offered
    assert not offered & {"spike", "spike_hold", "ramp_down", "soak", "arrivals", "call", "warm_up"}

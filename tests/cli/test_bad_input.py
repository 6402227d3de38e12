"""The wrong thing typed: one line for each problem, all of them at once, exit 2, before any load."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stt_load.cli import main

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]
LADDER = [sys.executable, "-m", "locust", "-f", str(CHECKOUT / "locustfiles" / "ladder.py"), "--headless"]
NOBODY = "ws://127.0.0.1:1/ws"  # a port that nobody listens on


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def refused(line: list[str], folder: Path) -> list[str]:
    """The error lines of a command that must end with 2 and leave no run folder."""
    done = subprocess.run(line, capture_output=True, text=True, cwd=folder, timeout=60)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not list(folder.glob("results/*"))
    return [text.removeprefix("error: ") for text in done.stderr.splitlines() if text.startswith("error: ")]


MANY = ["--concurrency", "0,x", "--hold", "-1", "--slo", "fast", "--dialect", "klingon", "--stt-url", "http://x/"]


@pytest.mark.parametrize("command", [[*STT_LOAD, "run"], LADDER], ids=["stt-load run", "locust"])
def test_every_bad_option_has_its_line(command: list[str], tmp_path: Path) -> None:
    lines = refused([*command, *MANY], tmp_path)
    assert len(lines) == 5
    for option in ("--concurrency", "--hold", "--slo", "--dialect", "--stt-url"):
        assert sum(line.startswith(option) for line in lines) == 1


@pytest.mark.parametrize("command", [[*STT_LOAD, "run"], LADDER], ids=["stt-load run", "locust"])
def test_everything_that_is_wrong_with_the_world_has_its_line(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    options = ["--stt-url", NOBODY, "--clips", "nowhere", "--results", "file", "--output", "table.xls"]
    lines = refused([*command, *options], tmp_path)
    assert [line.partition(":")[0] for line in lines] == ["--stt-url", "--results", "--output", "--clips"]


def test_an_option_that_nobody_knows_is_told_beside_the_others(tmp_path: Path) -> None:
    lines = refused([*STT_LOAD, "run", "--stt-url", "http://x", "--cocurrency", "3", "--repeats", "3"], tmp_path)
    assert "unknown option --cocurrency (--concurrency?): see" in lines[0]
    assert lines[1] == "--repeats: it is no option of this command: leave it out, or see --help"
    assert lines[2].startswith("--stt-url: ")


def test_the_demo_tells_of_a_server_of_yours_beside_the_others(tmp_path: Path) -> None:
    lines = refused([*STT_LOAD, "demo", "--stt-url", NOBODY, "--cocurrency", "3"], tmp_path)
    assert "unknown option --cocurrency (--concurrency?): see" in lines[0]
    assert lines[1].startswith("--stt-url: the demo brings its own server")


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        (["--processes", "2", "--master"], "--processes: it starts a master and its workers on this machine"),
        (["--processes", "0"], "--processes: '0' is no number of processes"),
        (["-f", "nope.py"], "-f nope.py: there is no such locustfile"),
        (["--expect-workers", "x"], "--expect-workers: invalid int value: 'x'"),
        (["--master", "--master-bind-host", "8.8.8.8"], "--master-bind-host 8.8.8.8: strangers can reach port 5557"),
    ],
)
def test_what_locust_would_refuse_is_told_in_one_line_beside_the_others(
    words: list[str], starts: str, tmp_path: Path
) -> None:
    lines = refused([*STT_LOAD, "run", "--stt-url", "http://x/", *words], tmp_path)
    assert lines[0].startswith(starts)
    assert lines[1].startswith("--stt-url: ")


def test_a_word_that_belongs_to_no_option_is_told_beside_the_others(tmp_path: Path) -> None:
    lines = refused([*STT_LOAD, "run", "--host", "http://x", "doctor", "--processes", "2"], tmp_path)
    assert lines[0] == "unexpected argument doctor: only options go here"
    assert lines[1].startswith("--stt-url: ")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:99999/ws", "ws://", "127.0.0.1:8000", "ws://no.such.host.invalid/ws"])
def test_an_unusable_server_is_one_line(url: str, tmp_path: Path) -> None:
    (line,) = refused([*STT_LOAD, "run", "--stt-url", url], tmp_path)
    assert line.startswith("--stt-url: ")


def test_a_folder_without_clips_is_one_line(tmp_path: Path, busy_port: int) -> None:
    (tmp_path / "clips").mkdir()
    line = [*LADDER, "--stt-url", f"ws://127.0.0.1:{busy_port}/ws", "--clips", "clips"]
    (problem,) = refused(line, tmp_path)
    assert "holds no audio file" in problem


def test_one_list_of_clips_may_be_named_and_its_missing_audio_is_told(tmp_path: Path, busy_port: int) -> None:
    (tmp_path / "test.tsv").write_text("path\tsentence\n" + "".join(f"{n}.mp3\thello\n" for n in range(900)))
    for name, told in (("test.tsv", "0.mp3: the file is missing"), ("a.txt", "no list of clips that is known")):
        (tmp_path / "a.txt").write_text("hello")
        line = [*STT_LOAD, "run", "--stt-url", f"ws://127.0.0.1:{busy_port}/ws", "--clips", name]
        problems = refused(line, tmp_path)
        assert told in problems[0]
        assert problems[5:] == ([] if name == "a.txt" else ["… and 895 more like these"])


def test_a_taken_port_of_the_web_ui_is_one_line(tmp_path: Path, busy_port: int) -> None:
    line = [option for option in LADDER if option != "--headless"]
    (problem,) = refused([*line, "--web-host", "127.0.0.1", "--web-port", str(busy_port)], tmp_path)
    assert problem.startswith("--web-port: ")


def test_a_taken_port_of_the_master_is_one_line(tmp_path: Path, busy_port: int) -> None:
    line = [*STT_LOAD, "run", "--stt-url", f"ws://127.0.0.1:{busy_port}/ws", "--master", "--expect-workers", "1"]
    line += ["--master-bind-host", "127.0.0.1", "--master-bind-port", str(busy_port)]
    (problem,) = refused(line, tmp_path)
    assert problem.startswith("--master-bind-port: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--stt-url", NOBODY], "brings its own server"),
        (["demo", "--hold", "soon"], "not a duration"),
        (["demo", "--rounds", "2", "--hold", "5s"], "--rounds: it takes the place of --hold"),
        (["probe", "--stt-url", NOBODY], "nothing answers"),
        (["serve", "--nice", "99"], "--nice 99: give 19 or less"),
        (["report", "nowhere"], "nowhere"),
        (["clips", "show", "nowhere"], "does not exist"),
    ],
)
def test_each_command_refuses_in_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    (line,) = refused([*STT_LOAD, *arguments], tmp_path)
    assert words in line


def test_a_command_that_is_misspelt_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    done = subprocess.run([*STT_LOAD, "fnd"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: No such command 'fnd': is it find?")


def test_a_variable_that_is_misspelt_is_told_once(tmp_path: Path) -> None:
    line = [*STT_LOAD, "run", "--stt-url", NOBODY]
    environment = {**os.environ, "STT_LOAD_STT_ULR": "ws://127.0.0.1:2/"}
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, timeout=60, env=environment)
    assert done.stderr.count("STT_LOAD_STT_ULR is set, and nothing reads it: is it STT_LOAD_STT_URL?") == 1


def test_an_unknown_command_and_an_unknown_dialect_end_with_2(tmp_path: Path) -> None:
    for arguments in (["fly"], ["dialects", "klingon"]):
        done = subprocess.run([*STT_LOAD, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=60)
        assert done.returncode == 2
        assert arguments[-1] in done.stderr


def test_help_needs_no_locust(tmp_path: Path) -> None:
    program = "import sys; from stt_load.cli import cli; cli.main(['--help'], standalone_mode=False); "
    program += "sys.exit('locust' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    for command in ("demo", "run", "probe", "clips", "serve", "report", "dialects"):
        assert command in done.stdout


def test_a_disk_that_fails_in_the_middle_of_something_is_one_line_and_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/part")

    monkeypatch.setattr("stt_load.cli.cli.main", fail)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert capsys.readouterr().err == "error: No space left on device: /tmp/part\n"

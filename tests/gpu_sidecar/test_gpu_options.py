from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpu_sidecar.gpu_choice import GpuSelector
from gpu_sidecar.options import TOKEN_VARIABLE, Options, UsageError, parse_options
from gpu_sidecar.server_choice import ServerSelector


@pytest.fixture(autouse=True)
def no_tool_and_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def options(*argv: str) -> Options:
    return parse_options(argv)


def test_without_options_it_listens_on_loopback_and_samples_each_second() -> None:
    given = options()
    assert (given.host, given.port, given.token, given.parent_pid) == ("127.0.0.1", 9550, None, None)
    config = given.service
    assert (config.gpu, config.server, config.source.name, config.period_s) == (GpuSelector(), None, "dmon", 1.0)
    assert (config.has_host, config.record, config.replay) == (True, None, None)


def test_what_is_asked_for_is_what_is_wanted(tmp_path: Path) -> None:
    config = options(
        *("--gpu-id", "0,2", "--server-process", "port:8000", "--source", "query", "--interval", "0.1"),
        *("--no-host", "--record", str(tmp_path / "r")),
    ).service
    assert (config.gpu, config.server) == (GpuSelector(("0", "2")), ServerSelector("port", "8000"))
    assert (config.source.name, config.period_s, config.has_host) == ("query", 0.1, False)
    assert config.record == tmp_path / "r"


def test_a_replay_has_its_own_source() -> None:
    assert options("--replay", "r").service.source.name == "replay"


def test_the_parent_is_today_s_unless_another_is_named() -> None:
    assert options("--exit-with-parent").parent_pid == os.getppid()
    assert options("--exit-with-parent", "42").parent_pid == 42


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--port http", "argument --port: 'http' is not a whole number from 0 to 65535"),
        ("--port 70000", "argument --port: '70000' is not a whole number from 0 to 65535"),
        (
            "--interval 0.5",
            "--interval 0.5 is not possible with --source dmon: "
            "give a whole number of seconds from 1 to 3600, or --source "
            "query",
        ),
        (
            "--interval 1.5",
            "--interval 1.5 is not possible with --source dmon: give a whole number of seconds from 1 to 3600",
        ),
        (
            "--source query --interval 0.05",
            "--interval 0.05 is not possible with --source query: give seconds from 0.1 to",
        ),
        ("--interval nan", "argument --interval: 'nan' is not a number of seconds above 0"),
        ("--interval 1e9", "argument --interval: '1e9' is not a number of seconds above 0"),
        ("--source replay", "argument --source: invalid choice: 'replay'"),
        ("--gpu-id=-1", "argument --gpu-id: '-1' is not a GPU"),
        ("--server-process 8000", "argument --server-process: '8000' is not a process"),
        ("--replay a --gpu-id 0", "--replay plays everything that was recorded: leave out --gpu-id"),
        (
            "--replay a --server-process pid:1",
            "--replay plays everything that was recorded: leave out --server-process",
        ),
        ("--replay a --source query", "--replay plays everything that was recorded: leave out --source"),
        ("--token-file /no/such/file", "can't read the token file /no/such/file: No such file or directory"),
        ("--colour", "unrecognized arguments: --colour"),
        ("--int 3", "unrecognized arguments: --int 3"),
    ],
)
def test_bad_options_get_one_line(argv: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(*argv.split())
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_a_recording_is_not_played_into_itself(tmp_path: Path) -> None:
    (tmp_path / "r").touch()
    (tmp_path / "same").symlink_to(tmp_path / "r")
    with pytest.raises(UsageError, match="are the same file, which would never end"):
        options("--replay", str(tmp_path / "r"), "--record", str(tmp_path / "same"))


def test_a_token_comes_from_a_file_or_else_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(" s3cret\n")
    assert options("--token-file", str(tmp_path / "token")).token == "s3cret"
    monkeypatch.setenv(TOKEN_VARIABLE, "other ")
    assert options().token == "other"
    assert options("--token-file", str(tmp_path / "token")).token == "s3cret"
    monkeypatch.setenv(TOKEN_VARIABLE, " ")
    assert options().token is None


@pytest.mark.parametrize(("content", "why"), [(b" \n", "is empty"), (b"\xff\xfe\xfa", "not UTF-8 text")])
def test_a_token_file_without_a_token_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(UsageError, match=why):
        options("--token-file", str(tmp_path / "token"))


def test_the_help_names_every_source_and_shows_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--help")
    text = capsys.readouterr().out
    assert all(words in text for words in ("dmon", "query", "examples:", "--server-process port:8000", "/healthz"))

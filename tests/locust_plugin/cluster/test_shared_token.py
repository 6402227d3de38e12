"""The token that master and workers share: the environment's, or a file of the user's own."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stt_load.credentials import CLUSTER_TOKEN_VARIABLE
from stt_load.errors import ConfigError
from stt_load.locust_plugin.cluster.shared_token import shared_token

GIVEN = "0123456789abcdef"


def test_the_environment_decides_and_nothing_is_written(tmp_path: Path) -> None:
    assert shared_token({CLUSTER_TOKEN_VARIABLE: f" {GIVEN}\n"}, tmp_path / "token") == GIVEN
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("environ", [{}, {CLUSTER_TOKEN_VARIABLE: " "}])
def test_without_it_a_file_is_made_once_that_only_its_owner_reads(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / "not there yet" / "token"
    token = shared_token(environ, file)
    assert shared_token(environ, file) == token
    assert len(token) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["token"]
    assert shared_token(environ, tmp_path / "another") != token


def test_processes_that_start_at_the_same_time_have_the_same_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        tokens = set(threads.map(lambda _: shared_token({}, tmp_path / "token"), range(64)))
    assert len(tokens) == 1


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 6 characters") as caught:
        shared_token({CLUSTER_TOKEN_VARIABLE: "sesame"}, tmp_path / "token")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 40])
def test_a_file_without_a_token_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match="token"):
        shared_token({}, tmp_path / "token")


def test_a_token_that_others_can_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = shared_token({}, tmp_path / "token")
    assert caplog.text == ""
    (tmp_path / "token").chmod(0o644)
    assert shared_token({}, tmp_path / "token") == token
    assert "is another user's or open to others" in caplog.text
    assert token not in caplog.text


def test_a_folder_that_can_not_be_written_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(ConfigError, match=CLUSTER_TOKEN_VARIABLE):
        shared_token({}, tmp_path / "file" / "token")

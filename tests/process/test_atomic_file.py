"""A file is replaced whole, or left as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_disk import no_room_beyond

from stt_load.errors import ConfigError, ExitCode, WriteError
from stt_load.process.atomic_file import write_atomically


@pytest.mark.parametrize("content", ["five €", b"\x00\xff"])
def test_a_file_has_the_new_content_and_nothing_else_is_left(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "stages.csv"
    path.write_text("old")
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_behind_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "stages.csv").mkdir()
    with pytest.raises(ConfigError, match=r"stages\.csv can't be written: .*; set STT_LOAD_CACHE") as caught:
        write_atomically(tmp_path / "stages.csv", "text", advice="set STT_LOAD_CACHE")
    assert caught.value.exit_code is ExitCode.USAGE
    assert [path.name for path in tmp_path.iterdir()] == ["stages.csv"]


def test_a_full_disk_is_no_bad_input_and_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "stages.csv"
    path.write_text("old")
    with no_room_beyond(2), pytest.raises(WriteError, match=r"stages\.csv can't be written: File too large$") as caught:
        write_atomically(path, "new")
    assert caught.value.exit_code is ExitCode.FAILED
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_made_only_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "clips" / "one.wav"
    with pytest.raises(ConfigError, match="can't be written"):
        write_atomically(path, b"")
    write_atomically(path, b"RIFF", make_folder=True)
    assert path.read_bytes() == b"RIFF"


def test_a_reader_never_sees_half_of_it_though_several_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    contents = [letter * 200_000 for letter in "abcd"]
    write_atomically(path, contents[0])
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(write_atomically, path, content) for content in contents * 10]
        while not all(write.done() for write in writes):
            assert path.read_text() in contents
    assert all(write.exception() is None for write in writes)
    assert list(tmp_path.iterdir()) == [path]


def test_half_of_a_character_loses_no_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "out of memory \ud83d, \ud83d\ude00")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "out of memory \ufffd, \U0001f600"

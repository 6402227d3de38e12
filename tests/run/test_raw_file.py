"""A raw file takes its lines whole and in order, whatever the disk does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import no_room_beyond

from stt_load.run.raw_file import RawFile


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[RawFile]:
    folder = tmp_path / "run"
    folder.mkdir()
    file = RawFile(folder / "utterances.jsonl")
    yield file
    file.close()


def test_a_line_that_the_disk_has_cut_is_ended_by_its_own_rest(raw: RawFile) -> None:
    raw.add(b'{"n": 1}\n')
    with no_room_beyond(12):
        with pytest.raises(OSError, match="File too large"):
            raw.add(b'{"n": 2}\n')
        assert raw.path.read_bytes() == b'{"n": 1}\n{"n'
        with pytest.raises(OSError, match="File too large"):
            raw.add(b'{"n": 3}\n')
        assert raw.waiting_lines == 2
    raw.add(b'{"n": 4}\n')
    assert raw.path.read_bytes() == b'{"n": 1}\n{"n": 2}\n{"n": 3}\n{"n": 4}\n'
    assert (raw.waiting_lines, raw.waiting_bytes) == (0, 0)


def test_a_copy_has_every_line_of_a_file_that_is_gone_and_those_that_wait(raw: RawFile, tmp_path: Path) -> None:
    raw.add(b"first\n")
    raw.path.unlink()
    with no_room_beyond(8), pytest.raises(OSError, match="File too large"):
        raw.add(b"second\n")
    copy = raw.copy_to(tmp_path / "elsewhere.jsonl")
    copy.add(b"third\n")
    copy.close()
    assert copy.path.read_bytes() == b"first\nsecond\nthird\n"


def test_a_copy_that_does_not_fit_fails(raw: RawFile, tmp_path: Path) -> None:
    raw.add(b"first\n")
    with no_room_beyond(3), pytest.raises(OSError, match="File too large"):
        raw.copy_to(tmp_path / "elsewhere.jsonl")


def test_it_is_there_until_its_path_leads_elsewhere(raw: RawFile) -> None:
    assert raw.is_there
    kept = raw.path.rename(raw.path.with_name("renamed"))
    assert not raw.is_there
    raw.path.write_bytes(b"")
    assert not raw.is_there
    kept.replace(raw.path)
    assert raw.is_there
    folder = raw.path.parent
    folder.rename(folder.with_name("moved"))
    assert not raw.is_there
    folder.write_bytes(b"")  # a file in place of the folder
    assert not raw.is_there

"""Utterances of a soak, which begin a new file every hour: however they are written, they are read as one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeClock
from small_disk import no_room_beyond, set_room

from stt_load.errors import WriteError
from stt_load.process.data_folder import rescue_folders
from stt_load.report.damage import Damage
from stt_load.report.part_stream import open_parts
from stt_load.report.raw_files import UTTERANCES, is_raw_file, part_name, parts_of
from stt_load.report.raw_lines import RawLines
from stt_load.run.run_folder import PART_S, PATIENCE_S, RunFolder


class Soak:
    """A run folder, and the time."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.clock = FakeClock()
        self.folder = RunFolder(path, clock=self.clock, part_s=PART_S)
        self.folder.write_run({"run_id": "a"})
        self.folder.add_transition({"phase": "ramp"})
        self.n = 0

    def add(self, n: int) -> None:
        for _ in range(n):
            self.folder.add_utterances(json.dumps({"n": self.n, "text": "x" * 100}).encode() + b"\n")
            self.n += 1

    def hours(self, *rows: int) -> None:
        """So many rows in each of the next hours."""
        for n in rows:
            self.add(n)
            self.clock.now_s += PART_S

    @property
    def file(self) -> Path:
        return self.folder.path / UTTERANCES

    def read(self, damage: Damage) -> list[int]:
        lines: RawLines[dict[str, int]] = RawLines(self.file, damage, dict, lambda row: (row, ()), self.n)
        return [row["n"] for rows in lines for row in rows]


@pytest.fixture
def soak(tmp_path: Path) -> Soak:
    return Soak(tmp_path / "run")


def test_every_hour_has_a_file_and_they_are_read_as_one(soak: Soak) -> None:
    soak.hours(3, 2, 4)
    soak.add(1)
    soak.folder.close()
    names = [UTTERANCES, "utterances-0002.jsonl", "utterances-0003.jsonl", "utterances-0004.jsonl"]
    assert [path.name for path in parts_of(soak.file)] == names == [part_name(n) for n in (1, 2, 3, 4)]
    assert [path.read_bytes().count(b"\n") for path in parts_of(soak.file)] == [3, 2, 4, 1]
    damage = Damage()
    assert soak.read(damage) == list(range(10))
    assert damage.notes == []
    assert soak.folder.n_lines[UTTERANCES] == 10
    assert all(is_raw_file(path) for path in parts_of(soak.file))


def test_an_hour_in_which_nothing_ends_has_no_file_of_its_own(soak: Soak) -> None:
    soak.hours(2, 0, 0)
    soak.add(2)
    assert [path.name for path in parts_of(soak.file)] == [UTTERANCES, "utterances-0002.jsonl"]
    assert soak.read(Damage()) == [0, 1, 2, 3]


def test_an_hour_that_is_missing_is_missed(soak: Soak) -> None:
    soak.hours(3, 2, 4)
    soak.folder.close()
    (soak.folder.path / part_name(2)).unlink()
    damage = Damage()
    assert soak.read(damage) == [0, 1, 2, 5, 6, 7, 8]
    assert damage.notes == ["utterances*.jsonl: 2 lines are missing"]


def test_any_other_run_has_one_file_however_long_it_lasts(tmp_path: Path) -> None:
    clock = FakeClock()
    folder = RunFolder(tmp_path, clock=clock)
    for _ in range(3):
        folder.add_utterances(b'{"n":1}\n')
        clock.now_s += 100 * PART_S
    assert parts_of(tmp_path / UTTERANCES) == [tmp_path / UTTERANCES]


def test_parts_are_one_stream_of_bytes(soak: Soak) -> None:
    soak.hours(3, 2)
    soak.add(1)
    whole = b"".join(path.read_bytes() for path in parts_of(soak.file))
    with open_parts(soak.file) as file:
        assert file.seekable()
        assert file.read() == whole
        file.seek(0)
        assert file.readlines() == whole.splitlines(keepends=True)


def test_a_disk_that_is_full_begins_no_file_and_all_of_them_are_rescued(
    soak: Soak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path / "data"))

    def on_another_disk() -> Iterator[Path]:
        set_room(None)
        return rescue_folders()

    monkeypatch.setattr("stt_load.run.run_folder.rescue_folders", on_another_disk)
    soak.hours(3, 2)
    soak.add(4)
    with no_room_beyond(parts_of(soak.file)[-1].stat().st_size + 12):
        soak.clock.now_s += PART_S / 2
        soak.add(2)
        soak.clock.now_s += PART_S
        soak.add(1)
        assert len(parts_of(soak.file)) == 3
        soak.clock.now_s += PATIENCE_S
        with pytest.raises(WriteError, match="everything measured is in"):
            soak.folder.settle()
    soak.folder.close()
    assert soak.folder.path != tmp_path / "run"
    damage = Damage()
    assert soak.read(damage) == list(range(12))
    assert damage.notes == []


def test_a_folder_that_is_removed_takes_the_hours_with_it_that_are_over(soak: Soak) -> None:
    soak.hours(3, 2)
    soak.add(1)
    shutil.rmtree(soak.folder.path)
    with pytest.raises(WriteError, match="has been removed or renamed"):
        soak.folder.settle()
    soak.folder.close()
    damage = Damage()
    assert soak.read(damage) == [5]
    assert damage.notes == ["utterances*.jsonl: 5 lines are missing"]

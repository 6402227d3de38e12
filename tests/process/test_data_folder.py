"""Where results go whose own folder takes none: one that lasts, else one that is nobody else's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stt_load.process.data_folder import rescue_folders


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def test_the_last_refuge_is_private_and_is_gone_where_nothing_came_of_it(tmp_path: Path, temporary: Path) -> None:
    temporary.mkdir()
    places = rescue_folders()
    assert next(places) == tmp_path / "data" / "results"
    private = next(places)
    assert private.parent == temporary and stat.S_IMODE(private.stat().st_mode) == 0o700
    assert list(places) == [] and not private.exists()


def test_what_was_written_there_stays(temporary: Path) -> None:
    temporary.mkdir()
    for place in rescue_folders():
        if place.parent == temporary:
            (place / "run").mkdir()
    assert [path.name for path in temporary.glob("*/*")] == ["run"]


def test_without_a_temporary_folder_there_is_one_refuge(tmp_path: Path) -> None:
    assert list(rescue_folders()) == [tmp_path / "data" / "results"]

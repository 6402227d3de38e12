"""A calibration for each host."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_calibration import FOUND, found

from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.store import data_folder, load, path_for, save
from stt_load.errors import SttLoadError


def test_what_is_kept_is_found_again_by_its_host(tmp_path: Path) -> None:
    path = save(FOUND, tmp_path)
    assert path.parent == tmp_path / "calibration"
    assert load(FOUND.host, tmp_path) == FOUND


def test_the_last_one_counts(tmp_path: Path) -> None:
    save(FOUND, tmp_path)
    save(found(callers=10), tmp_path)
    last = load(FOUND.host, tmp_path)
    assert last is not None and last.callers == 10
    assert len(list((tmp_path / "calibration").iterdir())) == 1


@pytest.mark.parametrize(
    "other", [{"host": "load-2"}, {"cores": 4}, {"cpu_model": "Xeon"}, {"container_cpu_limit": 2.0}]
)
def test_another_host_has_none(tmp_path: Path, other: dict[str, object]) -> None:
    save(FOUND, tmp_path)
    assert load({**FOUND.host, **other}, tmp_path) is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    path = save(FOUND, tmp_path)
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    assert load(FOUND.host, tmp_path) is None


def test_a_hosts_name_can_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    path = path_for({**FOUND.host, "host": "../../x"}, tmp_path)
    assert path.parent == tmp_path / "calibration"


def test_a_folder_that_can_not_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "calibration").write_text("a file", encoding="utf-8")
    with pytest.raises(SttLoadError, match="STT_LOAD_DATA"):
        save(FOUND, tmp_path)


def test_the_environment_moves_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    assert path_for(describe_host()).is_relative_to(tmp_path)

"""A run that asks for more callers than this machine keeps on time is told so before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_calibration import found

from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.store import save
from stt_load.config import parse_options
from stt_load.run.preflight import overload


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path))


def test_a_machine_that_was_calibrated_is_held_to_it() -> None:
    save(found(host=describe_host(), callers=40))
    config = parse_options({"frame_ms": "100", "dialect": "vosk"})
    assert overload(config, 40, 1) is None
    line = overload(config, 41, 1)
    assert line is not None and "keeps only 40 on time" in line
    assert overload(config, 80, 2) is None


def test_a_machine_that_was_not_is_asked_to_be_when_it_matters() -> None:
    config = parse_options({"dialect": "vosk"})
    assert overload(config, 40, 1) is None
    line = overload(config, 4_000, 1)
    assert line is not None and "stt-load calibrate" in line


def test_whole_files_have_no_pace_to_be_late_for() -> None:
    assert overload(parse_options({"dialect": "upload-openai"}), 4_000, 1) is None

"""What is installed here, with a stand-in for the driver's tool."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stt_load.calibration import installation_probe
from stt_load.calibration.installation_probe import probe_installation


@pytest.fixture(autouse=True)
def _own_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path / "data"))


def with_smi(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str | None) -> None:
    """`nvidia-smi` is what the shell makes of `script`; None: there is none."""
    (folder / "bin").mkdir()
    if script is not None:
        file = folder / "bin" / "nvidia-smi"
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin") if script is None else f"{folder / 'bin'}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "found", "fails"),
    [
        (None, None, None),
        ('echo "GPU 0: NVIDIA H100 (UUID: GPU-1)"; echo "GPU 1: x"', "2 GPU, GPU 0: NVIDIA H100", None),
        (
            'echo "GPU 0: A100 (UUID: GPU-1)"; echo "  MIG 1g.10gb     Device  0: (UUID: MIG-1)"',
            "1 GPU, GPU 0: A100",
            None,
        ),
        (
            'echo "WARNING: infoROM is corrupted"; echo "GPU 0: A10G (UUID: GPU-1)"; exit 14',
            "1 GPU, GPU 0: A10G; WARNING: infoROM is corrupted",
            None,
        ),
        ('echo "could not talk to the driver" >&2; exit 9', None, "could not talk to the driver"),
        ("exit 3", None, "ended with 3"),
        ("true", None, "ended with 0"),
    ],
)
def test_the_drivers_tool_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None, found: str | None, fails: str | None
) -> None:
    with_smi(monkeypatch, tmp_path, script)
    seen = probe_installation(str(tmp_path))
    assert (seen.nvidia_smi, seen.nvidia_smi_fails) == (found, fails)


def test_the_drivers_tool_is_found_outside_path_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_smi(monkeypatch, tmp_path, 'echo "GPU 0: NVIDIA H100 (UUID: GPU-1)"')
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(installation_probe, "_SMI_OUTSIDE_PATH", f"/no/such/folder:{tmp_path / 'bin'}")
    assert probe_installation(str(tmp_path)).nvidia_smi == "1 GPU, GPU 0: NVIDIA H100"


def test_the_results_folder_is_tried_and_not_made(tmp_path: Path) -> None:
    assert probe_installation(str(tmp_path / "new" / "results")).unwritable is None
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_is_a_file_can_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert probe_installation(str(tmp_path / "file")).unwritable


def test_what_a_run_needs_is_here() -> None:
    packages = probe_installation(".").packages
    assert packages["locust"] and packages["gevent"]

"""Where a tool is found: on PATH first, then where containers and WSL put it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_sidecar import tool_path
from gpu_sidecar.gpu_choice import GpuSelector
from gpu_sidecar.nvidia_smi import NvidiaSmi
from gpu_sidecar.sources.known_sources import SOURCES
from gpu_sidecar.tool_path import find_tool, not_found


def put_smi(folder: Path) -> Path:
    folder.mkdir()
    smi = folder / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 0, GPU-aaaa, NVIDIA L4, 23034 MiB, 570.86.15\n")
    smi.chmod(0o755)
    return smi


def test_a_tool_outside_path_is_found_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    mounted = put_smi(tmp_path / "mounted")
    monkeypatch.setattr(tool_path, "ELSEWHERE", {"nvidia-smi": (str(tmp_path / "none"), str(mounted.parent))})
    assert find_tool("nvidia-smi") == str(mounted)
    assert SOURCES["dmon"].is_there()
    (gpu,) = NvidiaSmi().query(GpuSelector()).gpus
    assert gpu.name == "NVIDIA L4"


def test_the_one_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path, mounted = put_smi(tmp_path / "on path"), put_smi(tmp_path / "mounted")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setattr(tool_path, "ELSEWHERE", {"nvidia-smi": (str(mounted.parent),)})
    assert find_tool("nvidia-smi") == str(on_path)


def test_a_tool_that_is_nowhere_is_told_with_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tool("no-such-smi") is None
    assert not_found("no-such-smi") == "no-such-smi is not on PATH"
    assert not_found("nvidia-smi") == "nvidia-smi is not on PATH, nor in /usr/local/nvidia/bin, /usr/lib/wsl/lib"

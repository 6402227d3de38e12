"""Finds a tool on this host: on PATH, else in the folders where containers and WSL put it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

# GKE mounts the driver's tools into containers at the first, WSL 2 at the second; neither is on every PATH.
ELSEWHERE: Mapping[str, Sequence[str]] = {"nvidia-smi": ("/usr/local/nvidia/bin", "/usr/lib/wsl/lib")}


def find_tool(name: str) -> str | None:
    """The path of the tool, None if it is not on this host."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(ELSEWHERE.get(name, ())))


def not_found(name: str) -> str:
    """One line that says where the tool was looked for."""
    elsewhere = ", ".join(ELSEWHERE.get(name, ()))
    return f"{name} is not on PATH{f', nor in {elsewhere}' if elsewhere else ''}"

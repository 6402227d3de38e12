"""Saved calibrations, one file for each host: `<data>/calibration/<host>-<digest of its hardware>.json`.

STT_LOAD_DATA names the data folder; without it, it is the user's own. A host is identified by name, processor, cores
and container limit, so machines that share a home folder keep separate calibrations.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stt_load.calibration.result import Calibration, NotACalibration
from stt_load.process.atomic_file import write_atomically
from stt_load.process.data_folder import data_folder

_IDENTITY = ("host", "architecture", "cpu_model", "cores", "container_cpu_limit")


def path_for(host: Mapping[str, Any], data: Path | None = None) -> Path:
    """The file of a host's calibration. `host`: what `host_probe.describe_host` returns."""
    identity = json.dumps([host[key] for key in _IDENTITY], ensure_ascii=False)
    name = re.sub(r"[^0-9A-Za-z.-]", "_", host["host"])[:64]
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return (data or data_folder()) / "calibration" / f"{name}-{digest}.json"


def save(calibration: Calibration, data: Path | None = None) -> Path:
    """Writes the calibration in place of the host's last one and returns its path. Raises ConfigError if it can't."""
    path = path_for(calibration.host, data)
    advice = "set STT_LOAD_DATA to another folder"
    write_atomically(path, calibration.to_json() + "\n", make_folder=True, advice=advice)
    return path


def load(host: Mapping[str, Any], data: Path | None = None) -> Calibration | None:
    """The saved calibration of a host; None if there is none or it can't be read."""
    try:
        return Calibration.from_json(path_for(host, data).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NotACalibration):
        return None

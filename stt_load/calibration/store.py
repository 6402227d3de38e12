"""Calibrations, kept for each host: `<data>/calibration/<host>-<what it is>.json`.

The data folder is the user's, or where STT_LOAD_DATA says. A host is its name, processor, cores and container limit:
a home folder that several machines share keeps theirs apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from stt_load.atomic_file import write_atomically
from stt_load.calibration.result import Calibration, NotACalibration

_IDENTITY = ("host", "architecture", "cpu_model", "cores", "container_cpu_limit")


def data_folder() -> Path:
    told = os.environ.get("STT_LOAD_DATA")
    return Path(told) if told else user_data_path("stt-load")


def place_of(host: Mapping[str, Any], data: Path | None = None) -> Path:
    """Where the calibration of that host is kept. `host`: as `looking.describe_host` says."""
    identity = json.dumps([host[key] for key in _IDENTITY], ensure_ascii=False)
    name = re.sub(r"[^0-9A-Za-z.-]", "_", host["host"])[:64]
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return (data or data_folder()) / "calibration" / f"{name}-{digest}.json"


def keep(calibration: Calibration, data: Path | None = None) -> Path:
    """Instead of the host's last one. ConfigError where it can't be written."""
    place = place_of(calibration.host, data)
    advice = "set STT_LOAD_DATA to another folder"
    write_atomically(place, calibration.to_json() + "\n", make_folder=True, advice=advice)
    return place


def kept(host: Mapping[str, Any], data: Path | None = None) -> Calibration | None:
    """None where there is none, or none that can be read."""
    try:
        return Calibration.from_json(place_of(host, data).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NotACalibration):
        return None

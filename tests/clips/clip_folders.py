"""Folders of tones with their texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import tone

from stt_load.audio.manifest import MANIFEST_NAME
from stt_load.clips.folder import load_folder
from stt_load.errors import ConfigError


def put(
    folder: Path, name: str, rate_hz: int = 16000, channels: int = 1, text: str | None = "hello", **how: str
) -> Path:
    wave = tone(0.8, rate_hz, lead_s=0.1, tail_s=0.3)
    soundfile.write(folder / name, np.stack([wave] * channels, axis=1), rate_hz, **how)
    if text is not None:
        (folder / name).with_suffix(".txt").write_text(text)
    return folder / name


def put_manifest(folder: Path, *rows: dict) -> None:
    (folder / MANIFEST_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))


def problems_of(folder: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load_folder(folder, 16000)
    assert all("\n" not in problem for problem in refused.value.problems)
    return refused.value.problems

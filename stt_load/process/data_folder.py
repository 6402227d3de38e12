"""The user's data folder, and where results go that could not be written where they were asked for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from platformdirs import user_data_path

DATA_VARIABLE = "STT_LOAD_DATA"


def data_folder() -> Path:
    """The folder for what outlives a run: STT_LOAD_DATA, else the user's data folder."""
    from_environment = os.environ.get(DATA_VARIABLE)
    return Path(from_environment) if from_environment else user_data_path("stt-load")


def rescue_folders() -> Iterator[Path]:
    """Where results are written, in this order, when the place that was asked for takes none. The last is made when it
    is asked for, and is nobody else's: the folder above it is everybody's."""
    yield data_folder() / "results"
    try:
        private = tempfile.mkdtemp(prefix="stt-load-results-")
    except OSError:
        return
    yield Path(private)
    with suppress(OSError):  # it was not taken either
        Path(private).rmdir()

"""The folder in which everything is kept that is made once: clips, answers of TTS servers, bounds of speech."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "STT_LOAD_CACHE"


def cache_folder() -> Path:
    """The folder that STT_LOAD_CACHE names, or one in the user's own cache."""
    from_environment = os.environ.get(CACHE_VARIABLE)
    return Path(from_environment) if from_environment else user_cache_path("stt-load")

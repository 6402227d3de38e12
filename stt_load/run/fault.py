"""A fault of this program or of its machine as one line, which is all that a log should show of it."""

from __future__ import annotations

import traceback
from pathlib import Path

from stt_load.errors import SttLoadError


def fault_line(error: BaseException) -> str:
    """What is wrong; where it is no fault that we know, also the place in the code, for whoever has to find it."""
    if isinstance(error, SttLoadError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text

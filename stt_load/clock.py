"""Time as an argument: the core is told what time it is and never asks.

All times inside are float seconds on one monotonic clock per process. Wall-clock time appears only where something
leaves the process or enters it: names of files, `started_at`, joining with another machine's log.
"""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Tells the time: seconds since an arbitrary moment, never going back. Shells hand in `time.monotonic`."""

    def __call__(self) -> float: ...

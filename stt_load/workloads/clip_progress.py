"""Tells how many clips of a run are ready, and ends their making and reading where this process is to end."""

from __future__ import annotations

import sys
import threading

from stt_load.errors import ConfigError

# Whoever makes clips may be another thread than the one that hears of a signal.
_is_ending = threading.Event()


class ClipsInterrupted(ConfigError):
    """This process was told to end while the clips of a run were being made or read."""


def stop_making_clips() -> None:
    """Lets whoever makes or reads the clips of a run in this process raise ClipsInterrupted before the next one."""
    _is_ending.set()


def is_making_stopped() -> bool:
    """Whether `stop_making_clips` was called."""
    return _is_ending.is_set()


def tell_encoded(codec: str, done_s: float, total_s: float) -> None:
    """Tells in a terminal how much audio a slow codec has encoded, in seconds.

    Raises ClipsInterrupted once this process is to end.
    """
    _tell("encoding", round(done_s), round(total_s), f"seconds of {codec}")


def tell_rendered(done: int, total: int) -> None:
    """Tells how many clips are rendered: in a terminal as they come along, elsewhere when the last one is done.

    Raises ClipsInterrupted once this process is to end.
    """
    _tell("rendering", done, total)
    if done == total and not sys.stderr.isatty():
        print(f"rendered {total} clips", file=sys.stderr)


def tell_read(done: int, total: int) -> None:
    """Tells in a terminal how many clips are read: finding the speech in them takes minutes where there are many.

    Raises ClipsInterrupted once this process is to end.
    """
    _tell("reading", done, total)


def _tell(doing: str, done: int, total: int, what: str = "clips") -> None:
    if _is_ending.is_set():
        raise ClipsInterrupted(f"interrupted when {done} of {total} {what} were ready: no run was started")
    if sys.stderr.isatty():
        print(f"\r{doing} {what}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

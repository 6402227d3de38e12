"""Keeps what failed in the sidecar itself: exceptions that it got over, and the samples that they cost."""

from __future__ import annotations

import logging
import threading
from pathlib import PurePath
from typing import NamedTuple

_log = logging.getLogger(__name__)

_MAX_WORDS = 200  # characters
_MAX_WARNED_OF = 100
_SAMPLES = "samples"


class Failure(NamedTuple):
    """What failed in one place, as in `GET /healthz`: how often, and the exception that came last."""

    where: str
    times: int
    last: str


class FailureLog:
    """The failures of one sidecar. It may be told and asked by any thread; each new one is logged as a warning."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, Failure] = {}
        self._warned_of: set[str] = set()
        self._lost_samples = 0

    @property
    def lost_samples(self) -> int:
        """How many samples were taken and could not be kept."""
        return self._lost_samples

    def all(self) -> tuple[Failure, ...]:
        with self._lock:
            return tuple(self._failures.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each place in which something failed, for people who read the samples."""
        return tuple(
            f"{failure.times} samples were lost in the sidecar, the last by {failure.last}"
            if failure.where == _SAMPLES
            else f"the sidecar's {failure.where} failed, {failure.times} in all, and went on: {failure.last}"
            for failure in self.all()
        )

    def note(self, where: str, error: Exception) -> None:
        """Notes that a part of the sidecar failed and goes on."""
        words = in_words(error)
        line = f"{where} failed: {words}"
        with self._lock:
            known = self._failures.get(where)
            self._failures[where] = Failure(where, 1 if known is None else known.times + 1, words)
            is_new = line not in self._warned_of and len(self._warned_of) < _MAX_WARNED_OF
            if is_new:
                self._warned_of.add(line)
        if is_new:
            _log.warning("%s", line)

    def note_lost_sample(self, error: Exception) -> None:
        """Notes that a sample was taken and could not be kept."""
        with self._lock:
            self._lost_samples += 1
        self.note(_SAMPLES, error)


def in_words(error: BaseException) -> str:
    """The exception and the line that raised it, in one line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return words[:_MAX_WORDS] + place

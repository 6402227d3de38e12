"""A thread that no exception ends for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from gpu_sidecar.failures import FailureLog, in_words

FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 30.0


class LastingThread:
    """Runs `work` in a daemon thread until it returns.

    If it raises, that is noted in `failures` and told to `on_failure`, and after 1 s, 2 s, 4 s ... 30 s the same thread
    begins it again, unless `stopping` is set. After half a minute without a failure the next pause is 1 s again.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        failures: FailureLog,
        stopping: threading.Event,
        on_failure: Callable[[str], None] = lambda why: None,
        first_pause_s: float = FIRST_PAUSE_S,
        last_pause_s: float = LAST_PAUSE_S,
    ) -> None:
        self._name, self._work, self._failures, self._stopping = name, work, failures, stopping
        self._on_failure = on_failure
        self._first_pause_s, self._last_pause_s = first_pause_s, last_pause_s
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Waits for its end, if it was ever started."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = self._first_pause_s
        while True:
            began = time.monotonic()
            try:
                self._work()
                return
            except Exception as error:
                with suppress(Exception):  # not even what it takes to tell may end it: memory may be short
                    self._failures.note(self._name, error)
                    self._on_failure(f"{self._name} failed: {in_words(error)}")
            if time.monotonic() - began > self._last_pause_s:
                pause_s = self._first_pause_s
            if self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, self._last_pause_s)

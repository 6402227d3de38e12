"""Texts spoken one after the other, each by itself: warm-up first, then the runs that count."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stt_load.errors import ConfigError, Outcome
from stt_load.tts.answer import Spoken
from stt_load.tts_benchmark.gpu_watch import GpuWatch
from stt_load.tts_benchmark.results import TextRuns

Progress = Callable[[str, int, int], None]
"""Told the text's name, how many of its requests are done, and of how many; warm-up included."""


class Measuring:
    """`done`: what is measured so far, also where `run` was interrupted: whole requests only."""

    def __init__(self, speak: Callable[[str], Spoken], texts: Mapping[str, str], warm_up: int, runs: int) -> None:
        self.done: list[TextRuns] = []
        self._speak = speak
        self._texts = texts
        self._warm_up = warm_up
        self._runs = runs
        self._is_first = True

    def run(self, watch: GpuWatch, progress: Progress) -> None:
        """Raises ConfigError where the server won't take the very first request: the others would fare no better."""
        for name, text in self._texts.items():
            watch.begin()
            spoken: list[Spoken] = []
            try:
                for index in range(self._warm_up + self._runs):
                    progress(name, index, self._warm_up + self._runs)
                    answer = self._look_at_first(self._speak(text))
                    if index >= self._warm_up:
                        spoken.append(answer)
            finally:
                if spoken:
                    self.done.append(TextRuns(name, text, tuple(spoken), watch.end()))

    def _look_at_first(self, answer: Spoken) -> Spoken:
        if self._is_first and answer.outcome is Outcome.REFUSED:
            raise ConfigError(
                f"the server refused the first request: {answer.error}; check --url, --api and --dialect-option"
            )
        self._is_first = False
        return answer

"""Texts spoken one after the other, each by itself: warm-up first, then the runs that count."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stt_load.credentials import HEADERS_VARIABLE, TTS_KEY_VARIABLE
from stt_load.errors import ConfigError, Outcome, Refusal
from stt_load.tts.speech_reader import TtsResult
from stt_load.tts_benchmark.gpu_watch import GpuWatch
from stt_load.tts_benchmark.results import TextRuns

_ADVICE: Mapping[Refusal | None, str] = {
    Refusal.AUTH: f"check --url; if it wants a key, set {TTS_KEY_VARIABLE}, or {HEADERS_VARIABLE}",
    Refusal.CAPACITY: "it is full: raise its limit, or wait until others have left",
}

Progress = Callable[[str, int, int], None]
"""Told the text's name, how many of its requests are done, and of how many; warm-up included."""


class BenchmarkRun:
    """Has every text spoken by `synthesise`. `done`: what is measured so far, also where `run` was interrupted: whole
    requests only."""

    def __init__(
        self, synthesise: Callable[[str], TtsResult], texts: Mapping[str, str], warm_up: int, runs: int
    ) -> None:
        self.done: list[TextRuns] = []
        self._synthesise = synthesise
        self._texts = texts
        self._warm_up = warm_up
        self._runs = runs
        self._is_first = True

    def run(self, watch: GpuWatch, progress: Progress) -> None:
        """Raises ConfigError where the server won't take the very first request: the others would fare no better."""
        for name, text in self._texts.items():
            watch.begin()
            results: list[TtsResult] = []
            try:
                for index in range(self._warm_up + self._runs):
                    progress(name, index, self._warm_up + self._runs)
                    result = self._checked(self._synthesise(text))
                    if index >= self._warm_up:
                        results.append(result)
            finally:
                if results:
                    self.done.append(TextRuns(name, text, tuple(results), watch.end()))

    def _checked(self, result: TtsResult) -> TtsResult:
        """The result; raises ConfigError where it is the first one and was refused."""
        if self._is_first and result.outcome is Outcome.REFUSED:
            advice = _ADVICE.get(result.refusal, "check --url, --api and --dialect-option")
            raise ConfigError(f"the server refused the first request: {result.error}; {advice}")
        self._is_first = False
        return result

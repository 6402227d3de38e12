"""How fast the recogniser has been since it started: numbers in, a JSON-ready summary out."""

from __future__ import annotations

from array import array

from stt_load.metrics.quantiles import REPORTED, Distribution

Times = dict[str, float]


class Timings:
    """The times of every text, milliseconds by step; each is kept in 8 bytes, so that percentiles are exact.
    `received_s`: seconds of audio that came over websockets, recognised or not."""

    def __init__(self) -> None:
        self.received_s = 0.0
        self._values_ms: dict[str, array[float]] = {}
        self._texts = 0
        self._audio_s = 0.0

    def add(self, times_ms: Times, audio_s: float) -> None:
        self._texts += 1
        self._audio_s += audio_s
        for name, value in times_ms.items():
            self._values_ms.setdefault(name, array("d")).append(value)

    def summary(self) -> dict[str, object]:
        """Totals, and `{total, mean, p50, p95, p99, max}` of each step."""
        return {
            "texts": self._texts,
            "audio_s": round(self._audio_s, 3),
            "timings_ms": {name: _figures(Distribution.of(values)) for name, values in self._values_ms.items()},
        }


def _figures(values: Distribution) -> dict[str, float | None]:
    figures = {"total": sum(values.values), "mean": values.mean, "max": values.max}
    figures |= {name: values.at(p) for name, p in REPORTED.items()}
    return {name: None if value is None else round(value, 3) for name, value in figures.items()}

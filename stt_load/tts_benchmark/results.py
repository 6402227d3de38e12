"""What a benchmark of texts comes to: figures of each text, and the result file. Values in, values out.

Milliseconds in the file, as its keys say; GB are GiB; times are `total` unless a key says otherwise.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stt_load.metrics.quantiles import REPORTED, Distribution
from stt_load.text.json_text import json_text
from stt_load.tts.speech_reader import TtsResult

NOT_STREAMED = "not streamed"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class TextRuns:
    """One text and its measured requests, warm-up left out."""

    name: str
    text: str
    results: tuple[TtsResult, ...]
    vram_peak_mib: float | None = None  # while this text was spoken
    server_streams: bool = False  # seen with any text of this benchmark

    @property
    def words(self) -> int:
        return len(self.text.split())

    @property
    def completed(self) -> tuple[TtsResult, ...]:
        return tuple(result for result in self.results if result.is_ok)

    @property
    def errors(self) -> int:
        return len(self.results) - len(self.completed)

    @property
    def shows_streaming(self) -> bool:
        """Whether more than half of the answers came bit by bit: one pause on the wire makes no stream."""
        return 2 * sum(result.is_streamed for result in self.completed) > len(self.completed)

    @property
    def is_streamed(self) -> bool:
        """Whether most answers were streamed; where the server streams, those of a single piece count too."""
        heard = [result.first_audio_s(self.server_streams) is not None for result in self.completed]
        return self.server_streams and 2 * sum(heard) > len(heard)

    @property
    def total(self) -> Distribution:
        return Distribution.of(s.total_s for s in self.completed if s.total_s is not None)

    @property
    def first_audio(self) -> Distribution | None:
        """Time to first audio, seconds; None where the answers were not streamed."""
        if not self.is_streamed:
            return None
        first_s = [result.first_audio_s(self.server_streams) for result in self.completed]
        return Distribution.of(value for value in first_s if value is not None)

    @property
    def after_text(self) -> Distribution | None:
        """Last token to first audio, seconds, signed; None where the text was sent whole."""
        values = [result.after_text_s for result in self.completed]
        known = [value for value in values if value is not None]
        return Distribution.of(known) if known else None

    @property
    def gaps(self) -> Distribution:
        """Gaps between pieces of audio, of all answers together; empty where they were not streamed."""
        return Distribution.of(gap_s for s in self.completed if self.is_streamed for gap_s in s.gaps_s)

    @property
    def underruns(self) -> int | None:
        """How often playback would have run dry, in all answers together; None where they were not streamed."""
        played = [result.playback for result in self.completed if result.playback]
        return sum(playback.underruns for playback in played) if self.is_streamed else None

    @property
    def audio_s(self) -> Distribution:
        return Distribution.of(s.audio_s for s in self.completed if s.audio_s is not None)

    @property
    def rtf(self) -> Distribution:
        return Distribution.of(s.rtf for s in self.completed if s.rtf is not None)


def with_streaming_known(texts: Sequence[TextRuns]) -> tuple[TextRuns, ...]:
    """The texts, each told what any of them has shown of the server: whether it streams."""
    streams = any(text.shows_streaming for text in texts)
    return tuple(replace(text, server_streams=streams) for text in texts)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A whole benchmark. `started_at`: seconds since 1970. `configuration`: its keys in the order of the file."""

    benchmark_type: str
    started_at: float
    warm_up: int
    runs: int
    configuration: Mapping[str, Any]
    texts: tuple[TextRuns, ...]
    is_complete: bool = True

    @property
    def file_name(self) -> str:
        return f"{self.benchmark_type}_{time.strftime('%Y%m%d_%H%M%S', time.gmtime(self.started_at))}.json"

    @property
    def completed(self) -> tuple[TtsResult, ...]:
        return tuple(result for text in self.texts for result in text.completed)

    @property
    def errors(self) -> int:
        return sum(text.errors for text in self.texts)


def result_json(benchmark: Benchmark) -> str:
    """The text of the result file."""
    document = {
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(benchmark.started_at)),
            "benchmark_type": benchmark.benchmark_type,
            "warmup_runs": benchmark.warm_up,
            "measurement_runs": benchmark.runs,
            "complete": benchmark.is_complete,
            "schema_version": SCHEMA_VERSION,
        },
        "configuration": dict(benchmark.configuration),
        "results": {text.name: _result(text) for text in benchmark.texts},
        "summary": _summary(benchmark),
    }
    return json_text(document)


def _result(text: TextRuns) -> dict[str, Any]:
    first_audio, after_text = text.first_audio, text.after_text
    return {
        "text_length_words": text.words,
        "audio_duration_ms": _ms(text.audio_s.mean),
        "latency": _latency(text.total),
        "rtf": _rounded(text.rtf.mean),
        "vram_peak_gb": _gb(text.vram_peak_mib),
        "text": text.text,
        "runs": len(text.results),
        "errors": text.errors,
        "outcomes": dict(sorted(Counter(str(result.outcome) for result in text.results).items())),
        "first_audio": NOT_STREAMED if first_audio is None else _latency(first_audio),
        "after_text": None if after_text is None else _latency(after_text),
        "gap": _latency(text.gaps) if text.is_streamed else None,
        "underruns": text.underruns,
        "rtf_p95": _rounded(text.rtf.at(0.95)),
        "too_few_runs_for": [name for name, p in REPORTED.items() if not text.total.supports(p)],
    }


def _summary(benchmark: Benchmark) -> dict[str, Any]:
    completed = benchmark.completed
    total = Distribution.of(result.total_s for result in completed if result.total_s is not None)
    timed = [result for result in completed if result.rtf is not None]
    audio_s = math.fsum(result.audio_s or 0.0 for result in timed)
    peaks = [text.vram_peak_mib for text in benchmark.texts if text.vram_peak_mib is not None]
    return {
        "overall_mean_ms": _ms(total.mean),
        "overall_p95_ms": _ms(total.at(0.95)),
        # Seconds of work over seconds of audio: a mean of ratios would weigh "Hello there." like a minute of speech.
        "overall_rtf": _rounded(math.fsum(s.total_s or 0.0 for s in timed) / audio_s if audio_s else None),
        "max_vram_gb": _gb(max(peaks, default=None)),
        "runs": sum(len(text.results) for text in benchmark.texts),
        "errors": benchmark.errors,
    }


def _latency(values: Distribution) -> dict[str, Any]:
    return {
        "mean_ms": _ms(values.mean),
        "std_ms": _ms(deviation(values)),
        **{f"{name}_ms": _ms(values.at(p)) for name, p in REPORTED.items()},
        "min_ms": _ms(values.min),
        "max_ms": _ms(values.max),
        "n": values.n,
    }


def deviation(values: Distribution) -> float | None:
    """The standard deviation of a sample, over n - 1. None for fewer than two values."""
    return statistics.stdev(values.values) if values.n > 1 else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1_000 * seconds, 3)


def _gb(mib: float | None) -> float | None:
    return None if mib is None else round(mib / 1_024, 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

"""What is compared: a statistic of a figure, its word in the box, and the words for a change of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stt_load.kinds import CONVERSATION, STREAM, TTS, UPLOAD, LoadKind
from stt_load.metrics.figures import FIGURES_BY_NAME, NOTHING, SAMPLED_DEVICES, Figure, Source, Unit
from stt_load.metrics.quantiles import is_statistic
from stt_load.report.figure_words import figure_value

HOLDS = Figure(
    name="holds",
    field="holds",
    unit=Unit.COUNT,
    source=Source.RUN,
    meaning="the most callers, or streams, with which every objective is met, with fewer too",
    in_json=False,
)
_FIGURES = {**FIGURES_BY_NAME, HOLDS.name: HOLDS}


@dataclass(frozen=True, slots=True)
class Words:
    """The words for a figure that went down or up, and which of the two is better: "lower", "higher", or "" where
    neither is."""

    lower: str
    higher: str
    better: str


_TIMES = Words("faster", "slower", "lower")
_MISTAKES = Words("better", "worse", "lower")
_THROUGHPUT = Words("slower", "faster", "higher")
_HELD = Words("holds fewer", "holds more", "higher")
_USE = Words("less", "more", "")

_WORDS_OF_UNIT: dict[Unit, Words] = {
    Unit.SECONDS: _TIMES,
    Unit.FACTOR: _TIMES,
    Unit.RATIO: _MISTAKES,
    Unit.COUNT: _MISTAKES,
    Unit.PER_SECOND: _THROUGHPUT,
    Unit.PER_MINUTE: _MISTAKES,
}
_WORDS_OF_FIGURE: dict[str, Words] = {
    **dict.fromkeys((HOLDS.name, "streams_per_gpu"), _HELD),
    "rtfx": _THROUGHPUT,
    "flicker": _MISTAKES,
    **dict.fromkeys(("audio", "speech", "audio_duration", "hold", "duty_cycle", "gpu_throttled"), _USE),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A statistic of a figure (None: its only value). `heading`: its word in the box."""

    heading: str
    figure: Figure
    statistic: str | None = None
    in_ladder: bool = False  # shown for every number of callers, not only in the box

    @property
    def key(self) -> str:
        """How targets name it: `eos_latency:p95`, `wer`."""
        return f"{self.figure.name}:{self.statistic}" if self.statistic else self.figure.name

    @property
    def words(self) -> Words:
        return _WORDS_OF_FIGURE.get(self.figure.name) or _WORDS_OF_UNIT.get(self.figure.unit, _USE)

    def is_worse(self, change: float) -> bool:
        """A change in this direction is one for the worse."""
        return (change > 0 and self.words.better == "lower") or (change < 0 and self.words.better == "higher")

    def value(self, value: float) -> str:
        """A value as the tables print it."""
        return figure_value(self.figure, value)

    def change(self, change: float, before: float, *, sign: bool = True) -> str:
        """A change as the tables print it: percent of the value before, or percent points of a share, or callers."""
        plus = "+" if sign else ""
        match self.figure.unit:
            case _ if not math.isfinite(change):
                return NOTHING
            case Unit.RATIO | Unit.PERCENT:
                factor = 100 if self.figure.unit is Unit.RATIO else 1
                return f"{factor * change:{plus}z.1f} pt"
            case Unit.COUNT:
                return f"{change:{plus}.0f}" if change == round(change) else f"{change:{plus}z.1f}"
            case _:
                return f"{100 * change / before:{plus}z.1f} %" if before > 0 else NOTHING


def measure_named(key: str, heading: str | None = None) -> Measure:
    """The measure that a target names, `eos_latency:p95` or `wer`. Raises ValueError with one clause."""
    name, _, statistic = key.partition(":")
    figure = _FIGURES.get(name)
    if figure is None:
        raise ValueError(f"there is no figure {name!r}; docs/figures.md lists them")
    has_many = figure.is_distribution or figure.source in SAMPLED_DEVICES
    if (
        (statistic and not is_statistic(statistic))
        or (figure.is_distribution and not statistic)
        or (statistic and not has_many)
    ):
        example = f"{name}:p95" if has_many else name
        raise ValueError(f"{key!r} is not a figure with its statistic: write it like {example}")
    return Measure(heading or key.replace(":", " "), figure, statistic or None)


def _measure(key: str, heading: str, *, in_ladder: bool = False) -> Measure:
    measure = measure_named(key, heading)
    return Measure(heading, measure.figure, measure.statistic, in_ladder)


_DEVICES = (_measure("gpu_util:mean", "GPU mean"), _measure("vram:max", "VRAM"))
_TOTALS = (
    _measure("total:p50", "P50", in_ladder=True),
    _measure("total:p95", "P95", in_ladder=True),
    _measure("total:p99", "P99"),
    _measure("rtf:mean", "RTF", in_ladder=True),
)
_ERRORS = _measure("error_rate", "Errors", in_ladder=True)
_WER = _measure("wer", "WER", in_ladder=True)

MEASURES: dict[LoadKind, tuple[Measure, ...]] = {
    STREAM: (
        _measure("eos_latency:p50", "EOS P50", in_ladder=True),
        _measure("eos_latency:p95", "EOS P95", in_ladder=True),
        _measure("eos_latency:p99", "EOS P99"),
        _measure("first_partial:p50", "First text"),
        _WER,
        _ERRORS,
        *_DEVICES,
    ),
    UPLOAD: (*_TOTALS, _measure("requests_per_s", "Requests/s"), _WER, _ERRORS, *_DEVICES),
    CONVERSATION: (
        _measure("voice_to_voice:p50", "Voice to voice P50", in_ladder=True),
        _measure("voice_to_voice:p95", "Voice to voice P95", in_ladder=True),
        _measure("barge_in_stop:p95", "Barge-in stop P95"),
        _measure("underruns", "Underruns"),
        _ERRORS,
        *_DEVICES,
    ),
    TTS: (_measure("first_audio:mean", "TTFC", in_ladder=True), *_TOTALS, _ERRORS, *_DEVICES),
}
"""What the box shows for a run of each kind. Latencies are those of the report."""

OF_TTS_FILE: tuple[Measure, ...] = (
    _measure("first_audio:mean", "TTFC", in_ladder=True),
    _measure("total:mean", "Mean", in_ladder=True),
    *(Measure(m.heading, m.figure, m.statistic, in_ladder=m.statistic != "p99") for m in _TOTALS),
    _ERRORS,
    _measure("vram:max", "VRAM"),
)
"""What the box shows for the result file of a TTS benchmark."""

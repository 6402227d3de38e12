"""A service level objective: one metric, one statistic, one bound, as the user writes it.

    eos_latency:p95<800ms     a latency, with the statistic it is judged by; s or ms
    rtf:p95<0.5               a factor, with its statistic
    error_rate<1%             a ratio of the whole stage, in percent
    foreign_text<1            a count over the whole stage

`METRICS` is the table of what can be written. Bounds are kept in base units: seconds, ratio (0 to 1), count.
"""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import dataclass
from enum import StrEnum

from stt_load.errors import ConfigError
from stt_load.metrics.quantiles import Distribution, smallest_n
from stt_load.records import TRANSCRIBED, Kind

DEFAULT_SLOS = ("eos_latency:p95<1s", "error_rate<1%", "wer_delta<5%")
"""What a run is judged by unless told otherwise: late, failing, or worse than the quiet run."""

DEFAULT_SLOS_OF: dict[Kind, tuple[str, ...]] = {
    Kind.STREAM: DEFAULT_SLOS,
    Kind.UPLOAD: ("rtf:p95<1", "error_rate<1%", "wer_delta<5%"),
    Kind.TTS: ("rtf:p95<1", "underruns<1", "error_rate<1%"),
}


class MetricKind(StrEnum):
    """What a bound on the metric looks like."""

    LATENCY = "latency"  # needs a statistic; bound in s or ms
    FACTOR = "factor"  # needs a statistic; bound is a plain number
    RATIO = "ratio"  # bound in percent
    COUNT = "count"  # bound is a plain number


METRICS: dict[str, MetricKind] = {
    "eos_latency": MetricKind.LATENCY,
    "stream_end_latency": MetricKind.LATENCY,
    "settled_latency": MetricKind.LATENCY,
    "finalise_latency": MetricKind.LATENCY,
    "first_partial": MetricKind.LATENCY,
    "connect": MetricKind.LATENCY,
    "ready": MetricKind.LATENCY,
    "total": MetricKind.LATENCY,
    "first_text": MetricKind.LATENCY,
    "first_audio": MetricKind.LATENCY,
    "gap_max": MetricKind.LATENCY,
    "rtf": MetricKind.FACTOR,
    "error_rate": MetricKind.RATIO,
    "wer": MetricKind.RATIO,
    "wer_all": MetricKind.RATIO,
    "wer_delta": MetricKind.RATIO,
    "cer": MetricKind.RATIO,
    "foreign_text": MetricKind.COUNT,
    "underruns": MetricKind.COUNT,
}

ONLY_OF: dict[str, frozenset[Kind]] = {
    **dict.fromkeys(
        ("eos_latency", "stream_end_latency", "settled_latency", "finalise_latency", "first_partial", "ready"),
        frozenset({Kind.STREAM}),
    ),
    **dict.fromkeys(("wer", "wer_all", "wer_delta", "cer", "foreign_text"), TRANSCRIBED),
    **dict.fromkeys(("total", "rtf"), frozenset({Kind.UPLOAD, Kind.TTS})),
    "first_text": frozenset({Kind.UPLOAD}),
    **dict.fromkeys(("first_audio", "gap_max", "underruns"), frozenset({Kind.TTS})),
}
"""Metrics that only some kinds of load have."""

_FACTORS: dict[MetricKind, dict[str, float]] = {
    MetricKind.LATENCY: {"s": 1.0, "ms": 0.001},
    MetricKind.RATIO: {"%": 0.01},
    MetricKind.FACTOR: {"": 1.0},
    MetricKind.COUNT: {"": 1.0},
}

_EXAMPLES: dict[MetricKind, str] = {
    MetricKind.LATENCY: "{}:p95<800ms (p50, p95, any other percentile, mean, min or max; s or ms)",
    MetricKind.RATIO: "{}<1% (the percent sign is needed)",
    MetricKind.FACTOR: "{}:p95<0.5 (p50, p95, any other percentile, mean, min or max)",
    MetricKind.COUNT: "{}<1",
}

_WITH_STATISTIC = (MetricKind.LATENCY, MetricKind.FACTOR)
_SHAPE = re.compile(
    r"(?P<metric>[a-z_]+)(:(?P<statistic>[a-z0-9.]+))?(?P<strict><=?)(?P<number>-?\d+(\.\d+)?)(?P<unit>[a-z%]*)"
)
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective. `bound` is in base units; `is_strict` is `<` rather than `<=`.

    `statistic` is `pNN`, `mean`, `min` or `max` for a latency or a factor, None for the rest (one value a stage).
    """

    text: str
    metric: str
    statistic: str | None
    bound: float
    is_strict: bool

    @property
    def percentile(self) -> float | None:
        """0.95 for p95; None for every other statistic."""
        return _percentile(self.statistic)

    def is_met_by(self, value: float) -> bool:
        return value < self.bound if self.is_strict else value <= self.bound


def parse_slo(text: str) -> Slo:
    """`eos_latency:p95<1s` and the like; blanks don't matter. Raises ConfigError with one line."""
    match = _SHAPE.fullmatch("".join(text.split()))
    if match is None:
        raise ConfigError(f"--slo {text!r} can't be read: write it like {', '.join(repr(slo) for slo in DEFAULT_SLOS)}")
    metric, statistic = match["metric"], match["statistic"]
    kind = METRICS.get(metric)
    if kind is None:
        raise ConfigError(f"--slo {text!r}: there is no metric {metric!r}; it can be one of {', '.join(METRICS)}")
    factor = _FACTORS[kind].get(match["unit"])
    if factor is None or (kind in _WITH_STATISTIC) != _is_statistic(statistic):
        raise ConfigError(f"--slo {text!r} can't be read: write it like {_EXAMPLES[kind].format(metric)}")
    return Slo(
        text="".join(text.split()),
        metric=metric,
        statistic=statistic,
        bound=float(match["number"]) * factor,
        is_strict=match["strict"] == "<",
    )


def _is_statistic(statistic: str | None) -> bool:
    return statistic in ("mean", "min", "max") or _percentile(statistic) is not None


def _percentile(statistic: str | None) -> float | None:
    match = _PERCENTILE.fullmatch(statistic or "")
    if match is None or float(match[1]) == 0.0:
        return None
    return float(match[1]) / 100


class SloVerdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"  # too few values to say, or none at all


@dataclass(frozen=True, slots=True)
class SloResult:
    """What came of one objective on one stage. `few`: n is too small for the percentile to be certain."""

    slo: Slo
    verdict: SloVerdict
    value: float | None  # what was measured; infinite where the percentile falls on a failed utterance
    n: int | None  # values behind it; None for a ratio or a count
    few: bool = False

    @property
    def n_needed(self) -> int | None:
        return None if self.slo.percentile is None else smallest_n(self.slo.percentile)


def judge(slo: Slo, measured: Distribution | float | None, without: int = 0) -> SloResult:
    """Hold what was measured against the objective.

    `without`: utterances that failed before they had a value. For a percentile each of them is later than any
    bound, so that a server can't look fast by dropping the slow ones.

    A percentile over too few values (`quantiles.smallest_n`) decides only what more values would hardly
    change, and is marked `few`:

        the observed percentile meets the bound               met
        so does not even the lower end of its 95 % interval   missed
        anything between                                      undecided

    Nothing measured is undecided too: an objective that can't be judged is not met.
    """
    if not isinstance(measured, Distribution):
        return SloResult(slo, _verdict(slo, measured), measured, None)
    p = slo.percentile
    if p is None:
        value = measured.statistic(slo.statistic) if slo.statistic else None
        return SloResult(slo, _verdict(slo, value), value, measured.n)
    values = Distribution(measured.values + array("d", [math.inf]) * without)
    few = not values.supports(p)
    return SloResult(slo, _percentile_verdict(slo, p, values), values.at(p), values.n, few)


def _verdict(slo: Slo, value: float | None) -> SloVerdict:
    if value is None:
        return SloVerdict.UNDECIDED
    return SloVerdict.MET if slo.is_met_by(value) else SloVerdict.MISSED


def _percentile_verdict(slo: Slo, p: float, values: Distribution) -> SloVerdict:
    observed = _verdict(slo, values.at(p))
    if observed is not SloVerdict.MISSED or values.supports(p):
        return observed
    lower, _ = values.ci95(p)
    return SloVerdict.MISSED if _verdict(slo, lower) is SloVerdict.MISSED else SloVerdict.UNDECIDED

"""A service level objective: one figure, one statistic, one bound, as the user writes it.

    eos_latency:p95<800ms     a latency, with the statistic it is judged by; s or ms
    rtf:p95<0.5               a factor, with its statistic
    error_rate<1%             a ratio of the whole stage, in percent
    foreign_text<1            a count over the whole stage

`figures.py` says which figures have objectives. Bounds are kept in base units: seconds, ratio (0 to 1), count.
"""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import dataclass
from enum import StrEnum

from stt_load.errors import ConfigError
from stt_load.kinds import STREAM
from stt_load.metrics.figures import Figure, Unit, slo_example, with_slo
from stt_load.metrics.quantiles import Distribution, percentile, smallest_n

_BOUND_UNITS: dict[Unit, dict[str, float]] = {
    Unit.SECONDS: {"s": 1.0, "ms": 0.001},
    Unit.RATIO: {"%": 0.01},
    Unit.FACTOR: {"": 1.0},
    Unit.COUNT: {"": 1.0},
}
"""The units that a bound on a figure may be written in, and what one of each is in base units."""

_HINTS: dict[Unit, str] = {
    Unit.SECONDS: " (p50, p95, any other percentile, mean, min or max; s or ms)",
    Unit.FACTOR: " (p50, p95, any other percentile, mean, min or max)",
    Unit.RATIO: " (the percent sign is needed)",
}

_SHAPE = re.compile(
    r"(?P<figure>[a-z_]+)(:(?P<statistic>[a-z0-9.]+))?(?P<strict><=?)(?P<number>-?\d+(\.\d+)?)(?P<unit>[a-z%]*)"
)


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective. `bound` is in base units; `is_strict` is `<` rather than `<=`.

    `statistic` is `pNN`, `mean`, `min` or `max` for a latency or a factor, None for the rest (one value a stage).
    """

    text: str
    figure: Figure
    statistic: str | None
    bound: float
    is_strict: bool

    @property
    def percentile(self) -> float | None:
        """0.95 for p95; None for every other statistic."""
        return percentile(self.statistic)

    def is_met_by(self, value: float) -> bool:
        return value < self.bound if self.is_strict else value <= self.bound


def parse_slo(text: str) -> Slo:
    """Reads an objective such as `eos_latency:p95<1s`; blanks don't matter. Raises ConfigError with one line."""
    match = _SHAPE.fullmatch("".join(text.split()))
    if match is None:
        raise ConfigError(f"--slo {text!r} can't be read: write it like {', '.join(map(repr, STREAM.default_slos))}")
    name, statistic = match["figure"], match["statistic"]
    figure = with_slo().get(name)
    if figure is None:
        raise ConfigError(f"--slo {text!r}: there is no figure {name!r}; it can be one of {', '.join(with_slo())}")
    factor = _BOUND_UNITS[figure.unit].get(match["unit"])
    if factor is None or figure.is_distribution != _is_statistic(statistic):
        example = f"{slo_example(figure)}{_HINTS.get(figure.unit, '')}"
        raise ConfigError(f"--slo {text!r} can't be read: write it like {example}")
    return Slo(
        text="".join(text.split()),
        figure=figure,
        statistic=statistic,
        bound=float(match["number"]) * factor,
        is_strict=match["strict"] == "<",
    )


def _is_statistic(statistic: str | None) -> bool:
    return statistic in ("mean", "min", "max") or percentile(statistic) is not None


class SloVerdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"  # too few values to say, or none at all


@dataclass(frozen=True, slots=True)
class SloResult:
    """The result of one objective on one stage. `few`: n is too small for the percentile to be certain."""

    slo: Slo
    verdict: SloVerdict
    value: float | None  # what was measured; infinite where the percentile falls on a failed utterance
    n: int | None  # values behind it; None for a ratio or a count
    few: bool = False

    @property
    def n_needed(self) -> int | None:
        return None if self.slo.percentile is None else smallest_n(self.slo.percentile)


def judge(slo: Slo, measured: Distribution | float | None, without: int = 0) -> SloResult:
    """Judges an objective by what was measured.

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

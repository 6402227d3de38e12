"""A service level objective: one figure, one statistic, one bound, as the user writes it.

    eos_latency:p95<800ms     a latency, with the statistic it is judged by; s or ms
    rtf:p95<0.5               a factor, with its statistic
    error_rate<1%             a ratio of the whole stage, in percent
    foreign_text<1            a count over the whole stage

`figures.py` says which figures have objectives. Bounds are kept in base units: seconds, ratio (0 to 1), count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from stt_load.errors import ConfigError
from stt_load.kinds import STREAM
from stt_load.metrics.estimates import Estimate
from stt_load.metrics.figures import Figure, Unit, slo_example, with_slo
from stt_load.metrics.quantiles import is_statistic, percentile

BOUND_UNITS: dict[Unit, dict[str, float]] = {
    Unit.SECONDS: {"s": 1.0, "ms": 0.001},
    Unit.RATIO: {"%": 0.01},
    Unit.FACTOR: {"": 1.0},
    Unit.COUNT: {"": 1.0},
    Unit.PER_MINUTE: {"": 1.0},
    Unit.PER_SECOND: {"": 1.0},
}
"""The units that a bound on a figure may be written in, and what one of each is in base units."""

_HINTS: dict[Unit, str] = {
    Unit.SECONDS: " (p50, p95, any other percentile, mean, min or max; s or ms)",
    Unit.FACTOR: " (p50, p95, any other percentile, mean, min or max)",
    Unit.PER_SECOND: " (p50, p95, any other percentile, mean, min or max)",
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
        close = get_close_matches(name, with_slo(), n=1)
        meant = f" ({close[0]}?)" if close else ""
        raise ConfigError(
            f"--slo {text!r}: there is no figure {name!r}{meant}; it can be one of {', '.join(with_slo())}"
        )
    factor = BOUND_UNITS[figure.unit].get(match["unit"])
    if factor is None or figure.is_distribution != is_statistic(statistic):
        example = f"{slo_example(figure)}{_HINTS.get(figure.unit, '')}"
        raise ConfigError(f"--slo {text!r} can't be read: write it like {example}")
    return Slo(
        text="".join(text.split()),
        figure=figure,
        statistic=statistic,
        bound=float(match["number"]) * factor,
        is_strict=match["strict"] == "<",
    )


class SloVerdict(StrEnum):
    MET = "met"  # the upper limit meets the bound
    MISSED = "missed"  # the lower limit misses it
    UNDECIDED = "undecided"  # neither: too few utterances to say, or none at all


@dataclass(frozen=True, slots=True)
class SloResult:
    """The result of one objective on one stage.

    `low`, `high`: one-sided limits of the value at 95 %; None where n doesn't bound it. `n`: utterances behind it; None
    for a count. `n_needed`: about how many would decide it; None where it is decided, or where no number would.
    `compares`: the first stage needs as many.
    """

    slo: Slo
    verdict: SloVerdict
    value: float | None  # what was measured; infinite where the percentile falls on a failed utterance
    n: int | None = None
    low: float | None = None
    high: float | None = None
    n_needed: int | None = None
    compares: bool = False

    @property
    def seems_met(self) -> bool:
        """The measured value meets the bound, proven or not."""
        return self.value is not None and self.slo.is_met_by(self.value)

    @property
    def is_unproven(self) -> bool:
        """Too few utterances were measured to prove that the bound is met, and nothing says that it isn't."""
        return self.verdict is SloVerdict.UNDECIDED and (self.seems_met or self._may_be_chance)

    @property
    def is_open(self) -> bool:
        """What was measured misses the bound, and too few utterances were measured to prove it."""
        return self.verdict is SloVerdict.UNDECIDED and not self.is_unproven

    @property
    def _may_be_chance(self) -> bool:
        """The first stage differs as much as this by chance: a change that is no more than that is none."""
        return self.compares and self.low is not None and self.low <= 0


def judge(slo: Slo, estimate: Estimate | None) -> SloResult:
    """Judges an objective by what was measured. None: nothing was, and what can't be judged is not met.

    the upper limit meets the bound      met          wrong in at most 5 % of stages
    the lower limit misses it            missed       wrong in at most 5 % of stages
    anything else                        undecided
    """
    if estimate is None:
        return SloResult(slo, SloVerdict.UNDECIDED, None)
    low, high = estimate.low, estimate.high
    verdict = SloVerdict.UNDECIDED
    if high is not None and slo.is_met_by(high):
        verdict = SloVerdict.MET
    elif low is not None and not slo.is_met_by(low):
        verdict = SloVerdict.MISSED
    needed = estimate.needed(slo.bound, slo.is_met_by) if verdict is SloVerdict.UNDECIDED else None
    return SloResult(slo, verdict, estimate.value, estimate.n, low, high, needed, estimate.compares)

"""Whether a server changes over hours of the same load: each figure against the age of the run and of its connection.

    utterances ─▶ bins of equal age (at most 128) ─▶ one value of each figure a bin ─▶ Theil–Sen slope, with interval

What is judged is the change over the whole time, slope × length, against a bound that has a name:

    the interval lies within ± the bound       no drift
    it lies outside of ± the bound             drift
    anything else                              can't tell
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stt_load.errors import Outcome
from stt_load.metrics.figures import Unit
from stt_load.metrics.kept_values import KeptValues
from stt_load.metrics.quantiles import Distribution
from stt_load.metrics.theil_sen import LEAST_POINTS, Z, theil_sen
from stt_load.metrics.widening_bins import WideningBins
from stt_load.records import UtteranceRecord

LEAST_IN_BIN = 20  # utterances: a percentile of fewer is one utterance

_FIRST_WIDTH_S = 5.0
_EXACT, _DIGITS = 2_000, 4  # latencies of a bin that are kept one by one; of the others
_HOUR_S = 3_600.0
_ERRORS_IN_BIN = 5


class DriftVerdict(StrEnum):
    NONE = "no drift"
    DRIFT = "drift"
    UNKNOWN = "can't tell"


class Axis(StrEnum):
    """What a figure is held against."""

    RUN = "run"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class DriftBound:
    """How much a figure may change over the whole time: a share of its level, and not less than `least`."""

    share: float
    least: float

    def at(self, level: float) -> float:
        return max(self.share * abs(level), self.least)


@dataclass(frozen=True, slots=True)
class WatchedFigure:
    """One figure of a bin. `name` is for people, `unit` that of `value` and of its bound. `counted`: of a share, how
    many errors, and among how many."""

    name: str
    unit: Unit
    bound: DriftBound
    value: Callable[[AgeBin], float | None]
    counted: Callable[[AgeBin], tuple[int, int]] | None = None


@dataclass(slots=True)
class AgeBin:
    """The counted utterances of one age, in the making."""

    n: int = 0
    age_s: float = 0.0  # the sum
    failed: int = 0
    word_errors: int = 0
    reference_words: int = 0
    latencies_s: KeptValues = field(default_factory=lambda: KeptValues(_EXACT, _DIGITS))

    def take(self, other: AgeBin) -> None:
        self.n += other.n
        self.age_s += other.age_s
        self.failed += other.failed
        self.word_errors += other.word_errors
        self.reference_words += other.reference_words
        self.latencies_s.extend(other.latencies_s.close())

    def latency_s(self, p: float) -> float | None:
        """A percentile of the headline figure, failed utterances later than any; None where it falls on one."""
        value = Distribution(self.latencies_s.close()).with_infinite(self.failed).at(p)
        return None if value is None or value == float("inf") else value

    @property
    def wer(self) -> float | None:
        return self.word_errors / self.reference_words if self.reference_words else None


WATCHED: tuple[WatchedFigure, ...] = (
    WatchedFigure("latency p50", Unit.SECONDS, DriftBound(0.05, 0.020), lambda each: each.latency_s(0.50)),
    WatchedFigure("latency p95", Unit.SECONDS, DriftBound(0.10, 0.050), lambda each: each.latency_s(0.95)),
    WatchedFigure(
        "word error rate",
        Unit.RATIO,
        DriftBound(0.10, 0.005),
        lambda each: each.wer,
        lambda each: (each.word_errors, each.reference_words),
    ),
    WatchedFigure(
        "failed",
        Unit.RATIO,
        DriftBound(0.0, 0.005),
        lambda each: each.failed / each.n,
        lambda each: (each.failed, each.n),
    ),
)
"""The figures that are watched, and what each of them may change over a soak."""

MEMORY_BOUND = DriftBound(0.05, 64.0)  # MiB
"""How much the memory of a device may change."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One figure over one age. `per_hour`, `low`, `high`: its slope with its 95 % interval, in units an hour; None
    where too little is known. `length_s`: the span of ages. `bound`: of the change over that span. `points`: age in
    seconds and value of each bin."""

    name: str
    axis: Axis
    unit: Unit
    level: float | None
    per_hour: float | None
    low: float | None
    high: float | None
    length_s: float
    bound: float | None
    points: tuple[tuple[float, float], ...]

    @property
    def change(self) -> tuple[float, float, float] | None:
        """The change over the whole span, and both ends of its interval."""
        if self.per_hour is None or self.low is None or self.high is None:
            return None
        hours = self.length_s / _HOUR_S
        return self.per_hour * hours, self.low * hours, self.high * hours

    @property
    def verdict(self) -> DriftVerdict:
        if self.change is None or self.bound is None:
            return DriftVerdict.UNKNOWN
        _, low, high = self.change
        if -self.bound <= low and high <= self.bound:
            return DriftVerdict.NONE
        return DriftVerdict.DRIFT if low > self.bound or high < -self.bound else DriftVerdict.UNKNOWN


def drift_of(
    name: str, axis: Axis, unit: Unit, bound: DriftBound, points: Sequence[tuple[float, float]]
) -> Drift | None:
    """How a figure changes with an age; None without a value."""
    if not points:
        return None
    length_s = points[-1][0] - points[0][0]
    slope = theil_sen([(age_s / _HOUR_S, value) for age_s, value in points])
    if slope is None:
        return Drift(name, axis, unit, None, None, None, None, length_s, None, tuple(points))
    found = (slope.level, slope.value, slope.low, slope.high)
    return Drift(name, axis, unit, *found, length_s, bound.at(slope.level), tuple(points))


AgeBins = WideningBins[AgeBin]
"""Utterances by an age in seconds."""


def drifts(bins: AgeBins, axis: Axis) -> list[Drift]:
    """How each figure changes with this age. The last bin is left out: it may be a part of one."""
    full = [each for _, each in bins.ascending()[:-1] if each.n >= LEAST_IN_BIN]
    if not full and axis is Axis.RUN:  # otherwise what else is known, of memory, would stand for all
        return _unknown([each for _, each in bins.ascending()], axis)
    found = []
    for figure in WATCHED:
        together = full if figure.counted is None else _with_errors(full, figure.counted)
        values = [(each.age_s / each.n, figure.value(each)) for each in together]
        points = [(age_s, value) for age_s, value in values if value is not None]
        drift = drift_of(figure.name, axis, figure.unit, figure.bound, points)
        if drift and figure.counted and sum(figure.counted(each)[0] for each in full) < LEAST_POINTS * _ERRORS_IN_BIN:
            drift = _drift_of_few(drift, figure.bound, [figure.counted(each) for each in full])
        found += [drift] if drift else []
    return found


def _unknown(few: Sequence[AgeBin], axis: Axis) -> list[Drift]:
    """Figures that were measured, on too few utterances for a single value of any age."""
    total = AgeBin()
    for each in few:
        total.take(each)
    measured = [figure for figure in WATCHED if total.n and figure.value(total) is not None]
    return [Drift(figure.name, axis, figure.unit, None, None, None, None, 0.0, None, ()) for figure in measured]


def _with_errors(full: Sequence[AgeBin], counted: Callable[[AgeBin], tuple[int, int]]) -> Sequence[AgeBin]:
    """Neighbours taken together until each bin has some errors on average: where most have none, most slopes are 0,
    whatever the share does. The same bins where there are too few errors for that."""
    n = sum(counted(each)[0] for each in full) // _ERRORS_IN_BIN
    if not LEAST_POINTS <= n < len(full):
        return full
    together = [AgeBin() for _ in range(n)]
    for place, each in enumerate(full):
        together[place * n // len(full)].take(each)
    return together


def _drift_of_few(drift: Drift, bound: DriftBound, counts: Sequence[tuple[int, int]]) -> Drift:
    """The drift of a share with few errors, or none: twice the difference of its two halves, with the interval of
    counts. It is wider where errors come together, by how much the bins differ more than counts do by chance."""
    half = len(counts) // 2
    (early, of_early), (late, of_late) = (
        (sum(errors for errors, _ in part), sum(of for _, of in part)) for part in (counts[:half], counts[half:])
    )
    if len(counts) < LEAST_POINTS or not (of_early and of_late and drift.length_s):
        return drift
    level = (early + late) / (of_early + of_late)
    expected = [(errors, of * level) for errors, of in counts if of * level]
    spread = sum((errors - mean) ** 2 / mean for errors, mean in expected) / (len(counts) - 1)
    change = 2 * (late / of_late - early / of_early)
    reach = 2 * Z * math.sqrt(max(1.0, spread) * ((early + 1) / of_early**2 + (late + 1) / of_late**2))
    hours = drift.length_s / _HOUR_S
    found = (level, change / hours, (change - reach) / hours, (change + reach) / hours)
    return Drift(drift.name, drift.axis, drift.unit, *found, drift.length_s, bound.at(level), drift.points)


def _new_bins() -> AgeBins:
    return WideningBins(AgeBin, width=_FIRST_WIDTH_S)


@dataclass(slots=True)
class DriftWatch:
    """The counted utterances of a soak, in the making. `began`: of its hold, wall clock."""

    began: float
    by_run: AgeBins = field(default_factory=_new_bins)
    by_connection: AgeBins = field(default_factory=_new_bins)

    def add(self, records: Iterable[UtteranceRecord]) -> None:
        for record in records:
            if not record.is_counted or record.outcome == Outcome.INTERRUPTED:
                continue
            _add(self.by_run, record.started_at - self.began, record)
            if record.connection_age_s is not None:
                _add(self.by_connection, record.connection_age_s, record)

    def close(self) -> list[Drift]:
        """Every drift: by the age of the run, and by that of the connection where one carries several utterances."""
        by_connection = drifts(self.by_connection, Axis.CONNECTION) if len(self.by_connection) > 1 else []
        return [*drifts(self.by_run, Axis.RUN), *by_connection]


def _add(bins: AgeBins, age_s: float, record: UtteranceRecord) -> None:
    each = bins.at(age_s)
    each.n += 1
    each.age_s += age_s
    if not record.is_ok:
        each.failed += 1
        return
    if record.headline_s is not None:
        each.latencies_s.extend((record.headline_s,))
    each.word_errors += record.word_errors
    each.reference_words += record.reference_words or 0

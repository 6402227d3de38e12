"""How many callers a server holds: one number, its interval, what limits it, and how it breaks; from all trials.

    holds             the largest number of callers that passed in most of its trials, with none below it failing
    interval          `interval.py`; it holds `holds`, which it is the interval of
    cliff or slope    the share of the objective that broke first, by the isotonic fit:
                      fine         the holding side of the edge
                      collapsed    the smallest number above it with five times the allowed share beyond the bound
                      cliff        collapsed is the next number that was tried, or at most 10 % above fine
                      slope        it is farther away, or nothing that was tried has collapsed

Five times: from one call in twenty to one in four under a p95 (where that is more than half of the way to all of
them, half of the way). If single latencies scatter by 30 %, a server whose latency grows like a queue's,
1 / (1 − load), comes to a cliff where its edge lies at a load of 0.72 or more; one whose latency grows with the square
of the callers has 15 % late ones at 10 % more callers, which is a slope. To an operator the difference is the margin:
on a slope one caller more is a little worse for all, beyond a cliff it is bad for all (Beyer et al. 2016, "Site
Reliability Engineering", chapter 22, asks to test beyond the point of failure for that reason).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stt_load.capacity.interval import Interval, binomial_interval, capacity_interval
from stt_load.capacity.isotonic import isotonic_fit
from stt_load.capacity.search import CapacitySearch, SearchEnd
from stt_load.capacity.share_table import ShareTable
from stt_load.capacity.trial import TrialObjective, TrialResult
from stt_load.metrics.slo import Slo

COLLAPSED_TIMES_ALLOWED = 5.0
CLIFF_WITHIN_RATIO = 0.10


class Shape(StrEnum):
    """How the share beyond the bound grows with the callers, see above."""

    CLIFF = "cliff"
    SLOPE = "slope"


class Limit(StrEnum):
    """What kind of objective a server misses first."""

    LATENCY = "latency"
    ERRORS = "errors"
    WER = "WER"
    OTHER = "other"


_LIMITS: dict[str, Limit] = {
    "error_rate": Limit.ERRORS,
    "wer": Limit.WER,
    "wer_all": Limit.WER,
    "wer_delta": Limit.WER,
    "cer": Limit.WER,
}
"""The kind of limit, by name of the figure. A distribution is a latency, or a factor made of one; the rest is OTHER."""


@dataclass(frozen=True, slots=True)
class EdgeSide:
    """The trials with one number of callers at the edge: `passed` of `n` believable ones passed."""

    users: int
    passed: int
    n: int

    @property
    def failed(self) -> int:
        return self.n - self.passed


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the share goes from fine to collapsed. `collapsed`: None where nothing that was tried has."""

    shape: Shape
    fine: int
    collapsed: int | None


@dataclass(frozen=True, slots=True)
class ShareCurve:
    """The share of one objective over callers: what was measured and the isotonic fit, one value for each number of
    callers at which something was counted, in ascending order."""

    slo: Slo
    allowed_share: float
    users: tuple[int, ...]
    shares: tuple[float, ...]
    fitted: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CapacityAnswer:
    """What a search found.

    `holds`: 0 where even the smallest number of callers failed, or nothing passed yet.
    `interval`: 95 %, with trials and callers drawn again. `high` None: nothing that was tried bounds it. None where
    there was no believable trial.
    `binomial`: the same with independent utterances, which is too narrow; None where no objective counts utterances.
    `held`, `broke`: the trials on both sides of the edge; None where there is no such side.
    `limited_by`, `missed`: the kinds of objectives that the failing trials at the edge missed, and these objectives as
    the user wrote them, the most frequent first.
    `turn`: None where nothing held or nothing broke, or no objective that broke counts utterances.
    `curves`: of the objectives that have a share.
    `why_over`: None where the search was cut off.
    `invalid_at`: the number of callers with which a trial and its repeat were not valid; None if there is none.
    `trials`: how many there were, the invalid ones included.
    """

    holds: int
    interval: Interval | None
    binomial: Interval | None
    held: EdgeSide | None
    broke: EdgeSide | None
    limited_by: tuple[Limit, ...]
    missed: tuple[str, ...]
    turn: Turn | None
    curves: tuple[ShareCurve, ...]
    why_over: SearchEnd | None
    invalid_at: int | None
    trials: int

    @property
    def low(self) -> int:
        return self.interval.low if self.interval else self.holds

    @property
    def high(self) -> int | None:
        return self.interval.high if self.interval else None


def find_answer(search: CapacitySearch) -> CapacityAnswer:
    """The answer from all trials of a search, whether it is over or was cut off."""
    table, missed = ShareTable(search.trials), _missed(search)
    curves = _curves(table)
    intervals = (capacity_interval(table), binomial_interval(table))
    interval, binomial = (_bounded(interval, search) for interval in intervals)
    return CapacityAnswer(
        holds=search.holds,
        interval=interval,
        binomial=binomial,
        held=_side(search, search.holds or None),
        broke=_side(search, search.breaks),
        limited_by=tuple(limit for limit, _ in Counter(map(_limit, missed)).most_common()),
        missed=tuple(text for text, _ in Counter(objective.slo.text for objective in missed).most_common()),
        turn=_turn(search.holds, missed, table, curves),
        curves=curves,
        why_over=search.why_over,
        invalid_at=search.invalid_at,
        trials=len(search.trials),
    )


def _bounded(interval: Interval | None, search: CapacitySearch) -> Interval | None:
    """The interval with the answer in it. Where no number of callers failed, nothing that was tried bounds it above."""
    if interval is None:
        return None
    return interval.including(search.holds) if search.breaks else Interval(min(interval.low, search.holds), None)


def _missed(search: CapacitySearch) -> list[TrialObjective]:
    """Every miss of an objective in a failing trial on the breaking side."""
    return [
        objective
        for trial in search.trials
        if trial.users == search.breaks and trial.result is TrialResult.FAIL
        for objective in trial.objectives
        if not objective.is_met
    ]


def _limit(objective: TrialObjective) -> Limit:
    """A latency that is missed because most of what is late has failed is a matter of errors."""
    counts = objective.counts
    if objective.slo.figure.is_distribution:
        is_failing = counts is not None and counts.failed > counts.parts.sum() / 2
        return Limit.ERRORS if objective.slo.percentile is not None and is_failing else Limit.LATENCY
    return _LIMITS.get(objective.slo.figure.name, Limit.OTHER)


def _side(search: CapacitySearch, users: int | None) -> EdgeSide | None:
    if users is None:
        return None
    tally = search.tally(users)
    return EdgeSide(users, tally[TrialResult.PASS], tally.total())


def _curves(table: ShareTable) -> tuple[ShareCurve, ...]:
    curves = []
    for column, slo in enumerate(table.slos):
        if not table.has_share[column]:
            continue
        is_counted = table.wholes[:, column] > 0
        parts, wholes = table.parts[is_counted, column], table.wholes[is_counted, column]
        users, shares, fitted = table.users[is_counted], parts / wholes, isotonic_fit(parts, wholes)
        values = (tuple(array.tolist()) for array in (users, shares, fitted))
        curves.append(ShareCurve(slo, float(table.allowed[column]), *values))
    return tuple(curves)


def _turn(holds: int, missed: Sequence[TrialObjective], table: ShareTable, curves: Sequence[ShareCurve]) -> Turn | None:
    counted = {slo.text for slo, is_counted in zip(table.slos, table.counts_utterances, strict=True) if is_counted}
    misses = Counter(objective.slo.text for objective in missed if objective.slo.text in counted)
    if not holds or not misses:
        return None
    ((first, _),) = misses.most_common(1)
    curve = next(curve for curve in curves if curve.slo.text == first)
    allowed = curve.allowed_share
    enough = min(COLLAPSED_TIMES_ALLOWED * allowed, (1 + allowed) / 2)
    above = [(users, share) for users, share in zip(curve.users, curve.fitted, strict=True) if users > holds]
    collapsed = next((users for users, share in above if share >= enough), None)
    is_cliff = collapsed is not None and (collapsed == above[0][0] or collapsed - holds <= CLIFF_WITHIN_RATIO * holds)
    return Turn(Shape.CLIFF if is_cliff else Shape.SLOPE, holds, collapsed)

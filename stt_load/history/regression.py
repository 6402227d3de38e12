"""Whether the newest run is worse than the last good ones like it.

The ones before give a median and a spread, the median absolute deviation times 1.4826 (the standard deviation where
they scatter normally): both stand half of the runs being wrong (Hampel 1974; Leys et al. 2013, "Detecting outliers: do
not use standard deviation around the mean, use absolute deviation around the median"). A figure of the newest run is a
regression where all of this is true:

    it is further off the median, to the worse side, than `factor(n)` spreads
    it is off by more than anybody would care about: `least_ratio` of the median, `least` in its unit
    no more than one of those before was as bad

The usual factor is 3.5 (Iglewicz and Hoaglin 1993). A spread from five values is itself far from certain: with 3.5, six
of a hundred good runs would be called worse. So the factor grows where there are few, so that one in a hundred is, for
each figure, where runs scatter normally (400,000 simulated histories for each n).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from stt_load.history.figures import FIGURES, HistoryFigure
from stt_load.history.run_row import RunRow, common_users
from stt_load.history.series import SAME, key_of
from stt_load.metrics.figures import NOTHING

FEWEST = 5
MOST = 20
_FACTORS = {5: 10.0, 6: 6.1, 8: 4.7, 10: 4.1, 12: 3.7, 15: 3.4, 20: 3.0}  # from so many runs on
_NORMAL = 1.4826


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of the newest run beside those before. `low`, `high`: median -+ factor · spread, of `n` runs."""

    figure: HistoryFigure
    users: int | None
    value: float
    median: float
    low: float
    high: float
    n: int
    is_regression: bool

    @property
    def line(self) -> str:
        """`p95 at 20: 1.437 s, before 0.548 s (0.512 s to 0.584 s, n 12): +162 %`."""
        shown = self.figure.told
        where = f" at {self.users}" if self.figure.field and self.users is not None else ""
        off = f"{100 * (self.value / self.median - 1):+.0f} %" if self.median and math.isfinite(self.value) else NOTHING
        before = f"{shown(self.median)} ({shown(self.low)} to {shown(self.high)}, n {self.n})"
        return f"{self.figure.name}{where}: {shown(self.value)}, before {before}: {off}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a check. `why_not`: why nothing can be said; None where the figures are compared."""

    newest: RunRow | None
    compared: tuple[Compared, ...] = ()
    why_not: str | None = None

    @property
    def regressions(self) -> tuple[Compared, ...]:
        return tuple(compared for compared in self.compared if compared.is_regression)


def judge_newest(runs: Sequence[RunRow], same: Sequence[str] = SAME) -> Judgement:
    """Compares the last of these runs, oldest first, with the last good ones like it."""
    if not runs:
        return Judgement(None, why_not="there is no run")
    *before, newest = runs
    if not newest.is_good:
        return Judgement(newest, why_not=f"the newest run is {newest.verdict}: its figures prove nothing")
    like, unlike = [], Counter[str]()
    for run in before:
        why = _unlike(run, newest, same)
        if why is None:
            like.append(run)
        else:
            unlike[why] += 1
    like = like[-MOST:]
    if len(like) < FEWEST:
        others = "".join(f"; {n} {why}" for why, n in unlike.most_common())
        return Judgement(newest, why_not=f"{len(like)} good runs like it, and it takes {FEWEST}{others}")
    users = common_users([replace(run, stages=tuple(s for s in run.stages if s.users in newest.tried)) for run in like])
    compared = [_compare(figure, newest, like, users) for figure in FIGURES]
    return Judgement(newest, tuple(filter(None, compared)))


def _unlike(run: RunRow, newest: RunRow, same: Sequence[str]) -> str | None:
    """Why a run is not to be held against the newest; None if it is."""
    if key_of(run, same) != key_of(newest, same):
        return f"of another kind of load, {' or '.join(filter(None, [', '.join(same[:-1]), *same[-1:]]))}"
    differing = [name for name, told in newest.test.items() if run.test.get(name) != told]
    if differing:
        return f"of another test ({', '.join(differing)})"
    return None if run.is_good else "not to be believed"


def factor(n: int) -> float:
    """How many spreads a figure may be off the median of n runs."""
    return next(value for least, value in reversed(_FACTORS.items()) if n >= least)


def _compare(figure: HistoryFigure, newest: RunRow, like: Sequence[RunRow], users: int | None) -> Compared | None:
    value = figure.value(newest, users)
    known = [before for run in like if (before := figure.value(run, users)) is not None]
    if value is None or len(known) < FEWEST:
        return None
    middle = median(known)
    spread = _NORMAL * median([abs(before - middle) if before != middle else 0.0 for before in known])
    allowed = max(factor(len(known)) * spread, figure.least_ratio * abs(middle), figure.least)
    worse = middle - value if figure.is_better_high else value - middle
    as_bad = sum(before <= value if figure.is_better_high else before >= value for before in known)
    return Compared(
        figure=figure,
        users=users,
        value=value,
        median=middle,
        low=max(0.0, middle - allowed),
        high=middle + allowed,
        n=len(known),
        is_regression=worse > allowed and as_bad <= 1,
    )

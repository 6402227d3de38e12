"""How many callers a server holds: one number, its interval, what limits it, and how it breaks; from all trials."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stt_load.capacity.search import CapacitySearch, SearchEnd


class Shape(StrEnum):
    """How the share beyond the bound grows with the callers, see `shape.py`."""

    CLIFF = "cliff"
    SLOPE = "slope"


class Limit(StrEnum):
    """What kind of objective a server misses first."""

    LATENCY = "latency"
    ERRORS = "errors"
    WER = "WER"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers of callers, both ends included. `high` None: nothing above was tried, so nothing bounds it."""

    low: int
    high: int | None


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
    """Where the share goes from fine to collapsed. `fine`: the largest number of callers that is fine (0: none is).
    `collapsed`: the smallest that has collapsed; None where none that was tried has."""

    shape: Shape
    fine: int
    collapsed: int | None


@dataclass(frozen=True, slots=True)
class ObjectiveCurve:
    """The share of one objective over callers: what was measured and the isotonic fit, one value for each number of
    callers that was tried, in ascending order."""

    objective: str
    allowed_share: float
    users: tuple[int, ...]
    shares: tuple[float, ...]
    fitted: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CapacityAnswer:
    """What a search found.

    `holds`: the largest number of callers that passed in most of its trials with nothing below it failing; 0: none.
    `interval`: 95 %, by the isotonic fit with a bootstrap over trials and callers; None without a believable trial.
    `binomial`: the same with independent utterances, which is too narrow; None where no objective counts any.
    `held`, `broke`: the trials on both sides of the edge; None where there is no such side.
    `limited_by`: what kinds of objectives the failing trials at the edge missed, the most frequent first.
    `missed`: those objectives as the user wrote them.
    `turn`: None where nothing failed, or what failed has no share.
    `invalid_at`: the number of callers at which the load generator was the limit; None if it was not.
    """

    holds: int
    interval: Interval | None
    binomial: Interval | None
    held: EdgeSide | None
    broke: EdgeSide | None
    limited_by: tuple[Limit, ...]
    missed: tuple[str, ...]
    turn: Turn | None
    curves: tuple[ObjectiveCurve, ...]
    why_over: SearchEnd | None  # None: the search was cut off
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
    raise NotImplementedError

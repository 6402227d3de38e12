"""What is kept of millions of values, in memory that does not grow with them.

    up to 250,000 values     each of them: every statistic is exact
    more                     how many there were of each value, rounded to five digits: 0.41234 s

So a stage of a minute is as exact as it was, and one of a day has percentiles to a hundredth of a millisecond where a
second is what they are about. A sum is exact to the last bit of its parts of 250,000 each.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

EXACT = 250_000
"""So many values are kept one by one."""

DIGITS = 5

_Floats = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RunLengths(Sequence[float]):
    """Ascending values of which many are equal: each once, and the number of those up to it. Reads like an array of
    them all."""

    once: _Floats
    up_to: _Counts

    @classmethod
    def of(cls, once: _Floats, counts: _Counts) -> RunLengths:
        return cls(once, np.cumsum(counts))

    def __len__(self) -> int:
        return int(self.up_to[-1]) if len(self.up_to) else 0

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[float]: ...
    def __getitem__(self, place: int | slice) -> float | Sequence[float]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        at = place + len(self) if place < 0 else place
        if not 0 <= at < len(self):
            raise IndexError(place)
        return float(self.once[bisect_right(self.up_to, at)])

    def __iter__(self) -> Iterator[float]:
        for value, n in zip(self.once.tolist(), self._counts.tolist(), strict=True):
            for _ in range(n):
                yield value

    @property
    def total(self) -> float:
        return math.fsum((self.once * self._counts).tolist())

    def with_more(self, value: float, n: int) -> RunLengths:
        """The same and `n` more of a value that is larger than any."""
        return RunLengths(np.append(self.once, value), np.append(self.up_to, len(self) + n))

    @property
    def _counts(self) -> _Counts:
        return np.diff(self.up_to, prepend=0)


class KeptValues:
    """Values in the making. `exact`: how many are kept one by one. `digits`: of the others."""

    __slots__ = ("_counts", "_digits", "_exact", "_fresh", "_once")

    def __init__(self, exact: int = EXACT, digits: int = DIGITS) -> None:
        self._exact = exact
        self._digits = digits
        self._fresh = array("d")
        self._once: _Floats = np.empty(0)
        self._counts: _Counts = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._fresh) + int(self._counts.sum())

    def extend(self, values: Iterable[float]) -> None:
        self._fresh.extend(values)
        if len(self._fresh) > self._exact:
            self._round_off()

    def close(self) -> array[float] | RunLengths:
        """All of them in ascending order."""
        if not len(self._counts):
            ascending = array("d", self._fresh)
            np.frombuffer(ascending).sort(kind="stable")
            return ascending
        self._round_off()
        return RunLengths.of(self._once, self._counts)

    def _round_off(self) -> None:
        """Counts those that were kept one by one, as rounded ones."""
        fresh = rounded(np.frombuffer(self._fresh), self._digits)
        once, places = np.unique(np.concatenate([self._once, fresh]), return_inverse=True)
        weights = np.concatenate([self._counts, np.ones(len(fresh), np.int64)])
        self._once, self._counts = once, np.bincount(places, weights).astype(np.int64)
        self._fresh = array("d")


class LongSum:
    """A sum in the making of any number of values."""

    __slots__ = ("_fresh", "_total")

    def __init__(self) -> None:
        self._total = 0.0
        self._fresh = array("d")

    def extend(self, values: Iterable[float]) -> None:
        self._fresh.extend(values)
        if len(self._fresh) > EXACT:
            self._total, self._fresh = self.total, array("d")

    @property
    def total(self) -> float:
        return math.fsum([self._total, *self._fresh])


def rounded(values: _Floats, digits: int) -> _Floats:
    """The values with so many digits, wherever their point is. Equal ones stay equal to the bit."""
    size = np.abs(values)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(size, where=size > 0, out=np.zeros_like(size))))
    return np.asarray(np.round(values * scale) / scale, np.float64)

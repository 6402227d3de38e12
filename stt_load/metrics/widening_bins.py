"""Bins over something that nobody knows the end of, as an age is: where there are too many, each two become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

MOST_BINS = 128


class Bin(Protocol):
    """What is known of one bin, in the making."""

    def take(self, other: Self) -> None:
        """Adds what another bin holds."""
        ...


AnyBin = TypeVar("AnyBin", bound=Bin)


class WideningBins(Generic[AnyBin]):
    """At most `MOST_BINS` bins, made by `make`, of which the first begins at 0. `width`: of each, by now."""

    def __init__(self, make: Callable[[], AnyBin], width: float) -> None:
        self.width = width
        self._make = make
        self._bins: dict[int, AnyBin] = {}

    def __len__(self) -> int:
        return len(self._bins)

    def at(self, value: float) -> AnyBin:
        """The bin that this value lies in; what is below 0 is in the first."""
        while value >= MOST_BINS * self.width:
            self._widen()
        number = max(0, int(value / self.width))
        if number not in self._bins:
            self._bins[number] = self._make()
        return self._bins[number]

    def ascending(self) -> list[tuple[float, AnyBin]]:
        """Where each bin begins that holds something, and the bin."""
        return [(number * self.width, each) for number, each in sorted(self._bins.items())]

    def _widen(self) -> None:
        narrow, self._bins = self._bins, {}
        self.width *= 2
        for number, each in sorted(narrow.items()):
            if number // 2 in self._bins:
                self._bins[number // 2].take(each)
            else:
                self._bins[number // 2] = each

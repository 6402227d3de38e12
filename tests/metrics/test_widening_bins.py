"""Bins over something that nobody knows the end of."""

from __future__ import annotations

from dataclasses import dataclass

from stt_load.metrics.widening_bins import MOST_BINS, WideningBins


@dataclass
class Counted:
    n: int = 0
    total: float = 0.0

    def take(self, other: Counted) -> None:
        self.n += other.n
        self.total += other.total


def test_bins_stay_few_and_lose_nobody_however_long_it_goes_on() -> None:
    bins = WideningBins(Counted, width=1.0)
    for age_s in range(0, 20_000, 7):
        each = bins.at(float(age_s))
        each.n += 1
        each.total += age_s
    assert len(bins) <= MOST_BINS and bins.width == 256.0
    assert sum(each.n for _, each in bins.ascending()) == len(range(0, 20_000, 7))
    assert all(begins <= each.total / each.n < begins + 256.0 for begins, each in bins.ascending())


def test_what_lies_before_the_first_bin_is_in_it() -> None:
    bins = WideningBins(Counted, width=1.0)
    bins.at(-3.0).n += 1
    assert [(begins, each.n) for begins, each in bins.ascending()] == [(0.0, 1)]

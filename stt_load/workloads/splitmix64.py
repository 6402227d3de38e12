"""The random numbers of one caller: Python's own generator would keep 2.5 kB for each of thousands of callers."""

from __future__ import annotations

_STEP = 0x9E3779B97F4A7C15
_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


class SplitMix64:
    """A generator whose state is one number. The same seed gives the same numbers in every process; neighbouring seeds
    give unrelated ones.

    G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number
    generators", 2014.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = _mixed(seed * _STEP & _64_BITS)

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`, each equally likely."""
        self._state = state = (self._state + _STEP) & _64_BITS
        return low + (high - low) * (_mixed(state) >> 11) * 2.0**-53


def _mixed(bits: int) -> int:
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & _64_BITS
    return bits ^ (bits >> 31)

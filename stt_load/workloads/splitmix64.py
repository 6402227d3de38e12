"""Random numbers of one caller. Python's own generator keeps 2.5 kB, which thousands of callers would each have."""

from __future__ import annotations

_STEP = 0x9E3779B97F4A7C15
_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


class SplitMix64:
    """The same numbers for the same seed, in every process. Neighbouring seeds give unrelated numbers.

    SplitMix64, whose state is one number: G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number
    generators", 2014.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = _mixed(seed * _STEP & _64_BITS)

    def uniform(self, low: float, high: float) -> float:
        """From `low` to `high`, each equally likely."""
        self._state = state = (self._state + _STEP) & _64_BITS
        return low + (high - low) * (_mixed(state) >> 11) * 2.0**-53


def _mixed(bits: int) -> int:
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & _64_BITS
    return bits ^ (bits >> 31)

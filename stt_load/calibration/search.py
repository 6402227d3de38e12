"""Which number of callers to try next: doubled until it breaks, then halved in between.

    first, 2·first, 4·first …      until one breaks or `most` holds
    half way between               the largest that held and the smallest that broke, until they are `resolution` apart

The trial that ends the climb is repeated once: a machine that was busy for a moment would decide everything.
"""

from __future__ import annotations

FIRST = 100
RESOLUTION = 0.1


class Search:
    """`next_callers` says what to try, None when it is done; `tell` what came of it.

    `holds`: the largest number that held, 0 where none did. `breaks`: the smallest that broke, None where none did.
    """

    def __init__(self, most: int, first: int = FIRST, resolution: float = RESOLUTION) -> None:
        self.holds = 0
        self.breaks: int | None = None
        self._most = most
        self._first = first
        self._resolution = resolution
        self._doubted: int | None = None

    @property
    def next_callers(self) -> int | None:
        if self.breaks is None:
            step = min(max(self._first, 2 * self.holds), self._most)
            return step if step > self.holds else None
        if self.breaks - self.holds <= max(1.0, self._resolution * self.holds):
            return None
        return (self.holds + self.breaks) // 2

    def tell(self, is_held: bool) -> None:
        """What came of `next_callers`, which must not be None."""
        callers = self.next_callers
        assert callers is not None
        if is_held:
            self.holds = callers
        elif self.breaks is None and self._doubted != callers:
            self._doubted = callers
        else:
            self.breaks = callers

"""Chooses the next number of callers to try: doubled until a trial fails, then bisected.

    first, 2·first, 4·first …      until one fails or `most` holds
    half way between               the largest that held and the smallest that failed, until they are `resolution` apart

The first trial that fails is repeated once: otherwise a machine that was busy for a moment would decide everything.
"""

from __future__ import annotations

FIRST = 100
RESOLUTION = 0.1


class RampSearch:
    """A search for the largest number of callers that holds. Try `next_callers`, then call `record`, until it is None.

    `holds` is the largest number that held, 0 if none did. `breaks` is the smallest that failed, None if none did.
    """

    def __init__(self, most: int, first: int = FIRST, resolution: float = RESOLUTION) -> None:
        self.holds = 0
        self.breaks: int | None = None
        self._most = most
        self._first = first
        self._resolution = resolution
        self._failed_once: int | None = None

    @property
    def next_callers(self) -> int | None:
        """The number of callers to try next; None when the search is done."""
        if self.breaks is None:
            step = min(max(self._first, 2 * self.holds), self._most)
            return step if step > self.holds else None
        if self.breaks - self.holds <= max(1.0, self._resolution * self.holds):
            return None
        return (self.holds + self.breaks) // 2

    def record(self, is_held: bool) -> None:
        """Notes whether the trial with `next_callers` callers held. There must be such a trial."""
        callers = self.next_callers
        assert callers is not None
        if is_held:
            self.holds = callers
        elif self.breaks is None and self._failed_once != callers:
            self._failed_once = callers
        else:
            self.breaks = callers

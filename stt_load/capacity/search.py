"""Chooses the next number of callers to try: doubled until a trial fails, narrowed, and repeated at the edge.

    first, 2·first, 4·first …   until one fails, or `most` passes
    half way between            the largest that passes and the smallest that fails, until the gap is `within_ratio` of
                                the one that passes, or one caller
    both sides of that edge     again, until each has `repeats` trials: three of three or two of three decide
    a quarter above the edge    once, if nothing above it was tried: without it nothing bounds the answer from above

What a number of callers *leans* to is what most of its trials say; with as many passes as failures it leans to
nothing yet, and is tried once more. Every choice is made from all trials so far: where the second and third trial on
one side of the edge contradict the first, the edge is another one, and the search goes on from there. So one trial that
failed by chance costs some trials, and decides nothing.

A trial that is INVALID is repeated once. If the same number of callers is invalid again, the search is over: mostly the
load generator, not the server, was the limit. The number of trials is bounded too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from stt_load.capacity.trial import Trial, TrialResult

WITHIN_RATIO = 0.05
REPEATS = 3
_ABOVE_THE_EDGE = 1.25
_MORE_TRIALS = 20
"""How many trials a search may take beyond those that a server without noise would need."""


class SearchEnd(StrEnum):
    """Why a search is over."""

    FOUND = "the edge was found and repeated on both sides"
    MOST_HOLDS = "the largest number of callers that was to be tried passed"
    INVALID = "a trial and its repeat were not valid"
    TRIALS_SPENT = "the trials contradict each other, and no more were to be made"


class CapacitySearch:
    """A search for the largest number of callers that holds. Run `next_users`, `record` the trial, until it is None."""

    def __init__(
        self, first: int = 1, most: int = 500, within_ratio: float = WITHIN_RATIO, repeats: int = REPEATS
    ) -> None:
        """`first`, `most`: at least 1. `repeats`: how many trials each side of the edge has; there is one more where as
        many of them passed as failed."""
        self._first = min(first, most)
        self._most = most
        self._within_ratio = within_ratio
        self._repeats = repeats
        self._trials: list[Trial] = []
        self._tallies: dict[int, Counter[TrialResult]] = {}

    @classmethod
    def replayed(cls, trials: Iterable[Trial], **terms: Any) -> CapacitySearch:
        """The search after these trials, as a report builds it from files. `terms`: as it was made with."""
        search = cls(**terms)
        for trial in trials:
            search.record(trial)
        return search

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials so far, in order."""
        return tuple(self._trials)

    @property
    def holds(self) -> int:
        """The largest number of callers that leans to PASS with none below it leaning to FAIL; 0 if there is none."""
        breaks = self.breaks
        return max((n for n, lead in self._leads().items() if lead > 0 and (breaks is None or n < breaks)), default=0)

    @property
    def breaks(self) -> int | None:
        """The smallest number of callers that leans to FAIL; None if there is none."""
        return min((users for users, lead in self._leads().items() if lead < 0), default=None)

    def tally(self, users: int) -> Counter[TrialResult]:
        """How often which result came up with this number of callers, without the invalid ones."""
        return self._tallies.get(users, Counter())

    @property
    def invalid_at(self) -> int | None:
        """The number of callers with which a trial and its repeat were not valid; None if there is none."""
        last_two = [trial.users for trial in self._trials[-2:] if self._must_repeat(trial)]
        return last_two[0] if len(last_two) == 2 and last_two[0] == last_two[1] else None

    @property
    def why_over(self) -> SearchEnd | None:
        """Why there is no next trial; None while there is one."""
        if self.invalid_at is not None:
            return SearchEnd.INVALID
        if self._wanted() is None:
            return SearchEnd.MOST_HOLDS if self.breaks is None else SearchEnd.FOUND
        return SearchEnd.TRIALS_SPENT if len(self._trials) >= self.most_trials else None

    @property
    def next_users(self) -> int | None:
        """The number of callers of the next trial; None when the search is over."""
        return None if self.why_over else self._wanted()

    @property
    def most_trials(self) -> int:
        """The bound on the number of trials."""
        doublings = math.ceil(math.log2(self._most)) + 1
        halvings = math.ceil(math.log2(min(1 / self._within_ratio, self._most)))  # no gap is less than a caller
        return doublings + halvings + 2 * self._repeats + _MORE_TRIALS

    def record(self, trial: Trial) -> None:
        """Notes the result of a trial. It should be one with `next_users` callers; others count the same."""
        self._trials.append(trial)
        if trial.result is not TrialResult.INVALID:
            self._tallies.setdefault(trial.users, Counter())[trial.result] += 1

    def _leads(self) -> dict[int, int]:
        """How many more trials passed than failed, by number of callers: it leans to what has the lead."""
        return {users: tally[TrialResult.PASS] - tally[TrialResult.FAIL] for users, tally in self._tallies.items()}

    def _wanted(self) -> int | None:
        """The number of callers that would decide most; None when nothing is left to decide."""
        if self._trials and self._must_repeat(self._trials[-1]):
            return self._trials[-1].users
        holds, breaks = self.holds, self.breaks
        tied = min((users for users, lead in self._leads().items() if not lead and users > holds), default=None)
        if tied is not None and (breaks is None or tied < breaks):
            return tied
        if breaks is None:
            higher = min(max(self._first, 2 * holds), self._most)
            return higher if higher > holds else self._short_of_repeats(holds)
        if breaks - holds > max(1.0, self._within_ratio * holds):
            return (holds + breaks) // 2
        return self._short_of_repeats(breaks, holds) or self._above(breaks)

    def _must_repeat(self, trial: Trial) -> bool:
        """The trial is invalid, and the edge may depend on it: what is above the edge only bounds the answer."""
        breaks = self.breaks
        return trial.result is TrialResult.INVALID and (breaks is None or trial.users <= breaks)

    def _short_of_repeats(self, *edge: int) -> int | None:
        """The side of the edge with the fewest trials; None where each has enough. With no callers none are needed."""
        n, users = min((self.tally(users).total(), users) for users in edge if users)
        return users if n < self._repeats else None

    def _above(self, breaks: int) -> int | None:
        """A number of callers above the edge; None where one was tried, or none is to be."""
        above = min(math.ceil(_ABOVE_THE_EDGE * breaks), self._most)
        return above if max(trial.users for trial in self._trials) == breaks < above else None

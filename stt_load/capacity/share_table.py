"""Parts and wholes of all objectives over all trials, as arrays: what the fit and the interval are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stt_load.capacity.isotonic import Floats
from stt_load.capacity.trial import Trial, TrialObjective, TrialResult, allowed_share, counts_utterances
from stt_load.metrics.slo import Slo

_HALF_OF_THE_TRIALS = 0.5

CallerSums = tuple[Floats, Floats]
"""Parts and wholes of one trial, each of shape (callers, objectives)."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """All believable trials with one number of callers."""

    users: int
    trials: tuple[CallerSums, ...]


class ShareTable:
    """The believable trials of a search. `levels`: in ascending order of callers. `slos`: the columns.

    `allowed`: the share that each objective allows, of shape (objectives,).
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        believable = [trial for trial in trials if trial.result is not TrialResult.INVALID]
        self.slos: tuple[Slo, ...] = tuple(o.slo for o in believable[0].objectives) if believable else ()
        by_users: dict[int, list[CallerSums]] = {}
        for trial in sorted(believable, key=lambda trial: trial.users):
            by_users.setdefault(trial.users, []).append(_caller_sums(trial))
        self.levels = tuple(Level(users, tuple(sums)) for users, sums in by_users.items())
        allowed = [allowed_share(slo) for slo in self.slos]
        self.allowed = np.array([_HALF_OF_THE_TRIALS if share is None else share for share in allowed])
        self.has_share = np.array([share is not None for share in allowed], bool)
        self.counts_utterances = np.array([counts_utterances(slo) for slo in self.slos], bool)

    @cached_property
    def users(self) -> NDArray[np.int64]:
        return np.array([level.users for level in self.levels], np.int64)

    @cached_property
    def parts(self) -> Floats:
        """Summed over the trials of each level, of shape (levels, objectives)."""
        return np.array([sum(parts.sum(axis=0) for parts, _ in level.trials) for level in self.levels])

    @cached_property
    def wholes(self) -> Floats:
        """Summed over the trials of each level, of shape (levels, objectives)."""
        return np.array([sum(wholes.sum(axis=0) for _, wholes in level.trials) for level in self.levels])


def _caller_sums(trial: Trial) -> CallerSums:
    callers = next((len(o.counts.parts) for o in trial.objectives if o.counts is not None), 1)
    columns = [_column(objective, callers) for objective in trial.objectives]
    parts, wholes = (np.array([column[of] for column in columns]).reshape(-1, callers).T for of in (0, 1))
    return parts, wholes


def _column(objective: TrialObjective, callers: int) -> CallerSums:
    """Parts and wholes by caller. Without a share the trial is the whole, and every caller has an equal piece of it."""
    if allowed_share(objective.slo) is None:
        return np.full(callers, (not objective.is_met) / callers), np.full(callers, 1 / callers)
    if objective.counts is None:
        return np.zeros(callers), np.zeros(callers)
    return objective.counts.parts, objective.counts.wholes

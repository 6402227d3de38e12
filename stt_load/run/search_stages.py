"""The stages of a search: each is a trial, and what all of them have shown decides about the next."""

from __future__ import annotations

from collections.abc import Callable

from stt_load.capacity.search import CapacitySearch
from stt_load.capacity.trial import Trial, TrialResult
from stt_load.config import RunConfig
from stt_load.kinds import LoadKind
from stt_load.report.capacity_wording import trial_line
from stt_load.report.model import StageReport

LEAST_TO_COMPARE = 12
"""Utterances of a trial where an objective compares it with the first one. That one often has a single caller, and
below five clips nothing is proven: a server that gets every third word wrong would pass."""


def least_utterances(config: RunConfig) -> int:
    """How many utterances each trial has at least."""
    has_comparison = any(slo.figure.name == "wer_delta" for slo in config.slos)
    return max(config.at_least, LEAST_TO_COMPARE if has_comparison else 0)


class SearchStages:
    """Asks the search for the callers of each stage.

    `judged`: the report of a stage that has ended; None where it could not be made, which is an invalid trial then.
    `tell`: is called with a line about each trial.
    """

    def __init__(
        self,
        search: CapacitySearch,
        kind: LoadKind,
        judged: Callable[[int], StageReport | None],
        tell: Callable[[str], object],
    ) -> None:
        users = search.next_users
        assert users is not None, "nothing has been tried yet"
        self.first_users = users
        self._search = search
        self._kind = kind
        self._judged = judged
        self._tell = tell
        self._users = users

    def next_users(self, stage: int, *, ended_early: bool) -> int | str:
        report = self._judged(stage)
        trial = report.trial if report else None
        self._search.record(trial or Trial(self._users, TrialResult.INVALID))
        users = self._search.next_users
        self._tell(trial_line(len(self._search.trials), self._users, report, users, self._kind))
        if users is None:
            return str(self._search.why_over)
        self._users = users
        return users

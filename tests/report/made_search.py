"""A run that searched for how many callers a made-up server holds: 25 at a p95 below a second."""

from __future__ import annotations

from typing import Any

from made_run import MadeRun, made_run

from stt_load.capacity.search import CapacitySearch
from stt_load.capacity.trial import Trial, TrialResult

HOLDS = 25
TERMS: dict[str, Any] = {"first": 1, "most": 500, "within_ratio": 0.05, "repeats": 3}


def made_search(trials: int | None = None, per_stage: int = 40, **terms: Any) -> MadeRun:
    """The whole search, or so many of its `trials`. `terms`: other ones than those of `stt-load find`."""
    search = CapacitySearch(**(TERMS | terms))
    while (users := search.next_users) is not None:
        search.record(Trial(users, TrialResult.PASS if users <= HOLDS else TrialResult.FAIL))
    made = made_run(tuple(trial.users for trial in search.trials)[:trials], per_stage)
    made.run |= {"plan": "search", "search": TERMS | terms, "concurrency": []}
    return made

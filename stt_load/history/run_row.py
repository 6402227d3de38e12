"""One run as a row of the history: what it was, what it found, and what it may be compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from stt_load.report.model import Verdict


@dataclass(frozen=True, slots=True)
class StageRow:
    """The figures of one stage that a history shows. None: not measured.

    `p95_s`: the headline latency of the kind of load, failed utterances counted as the latest: infinite where it falls
    on one. `energy_j`: of all GPUs, for each minute of audio.
    """

    users: int
    verdict: Verdict
    p95_s: float | None
    wer: float | None
    error_rate: float | None
    energy_j: float | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `started_at`: wall clock, seconds since 1970; None where it isn't known.

    `machine`: the hardware that served, or, where no sidecar told it, that of the load machine. `holds`: callers that
    it holds by the ladder or the search; 0 where not even the smallest stage passes, None where nothing was judged.
    `test`: what else must be the same in two runs whose figures are compared, by name: the dialect and what was
    measured.
    """

    folder: Path
    run_id: str
    started_at: float | None
    label: str
    kind: str
    server: str
    machine: str
    version: str
    verdict: Verdict
    holds: int | None
    stages: tuple[StageRow, ...]
    test: Mapping[str, str | None]

    @property
    def is_good(self) -> bool:
        """Its figures can be believed, so that others can be held against them. That it missed an objective is no
        objection: a ladder climbs until it does."""
        return self.verdict.is_believable and self.holds is not None

    def at(self, users: int) -> StageRow | None:
        """What was measured with so many callers: the middle of the believable stages, where a search had several."""
        stages = [stage for stage in self.stages if stage.users == users and stage.verdict.is_believable]
        if not stages:
            return None
        return StageRow(
            users,
            stages[-1].verdict,
            *(
                _middle([getattr(stage, name) for stage in stages])
                for name in ("p95_s", "wer", "error_rate", "energy_j")
            ),
        )

    @property
    def tried(self) -> set[int]:
        """The numbers of callers with a believable stage."""
        return {stage.users for stage in self.stages if stage.verdict.is_believable}

    @property
    def passed(self) -> set[int]:
        """Those of which every believable stage passed."""
        return self.tried - {stage.users for stage in self.stages if stage.verdict is Verdict.FAIL}


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def common_users(runs: Sequence[RunRow]) -> int | None:
    """The number of callers at which runs are compared: of those that most of them tried, the largest at which half of
    them or more passed, or else the smallest. Beyond its knee a server's figures scatter. None without any."""
    counts = Counter(users for run in runs for users in run.tried)
    usual = [users for users, n in counts.items() if n == max(counts.values())]
    passed = Counter(users for run in runs for users in run.passed)
    held = [users for users in usual if 2 * passed[users] >= counts[users]]
    return max(held) if held else min(usual, default=None)

"""From stage verdicts to the answer: the knee, the verdict of the run, the exit code.

Stages are read from the fewest callers upwards, and the first that does not pass decides:

    all stages pass                        pass      exit 0
    the first that does not pass fails     fail      exit 3: believable, and an SLO was missed. What happened
                                                     above it, invalid stages included, changes nothing
    ... is invalid or empty                invalid   exit 4: below the first clear failure something is not to
                                                     be believed, or not decided, so the knee isn't either
    nothing counted at all                 empty     exit 4
    the run was killed (no `done` line)    invalid   exit 4
    the run was aborted                    aborted   exit 5, whatever the stages say
    the program failed (`failure`)         error     exit 1, whatever else happened

A ladder is meant to climb until the server breaks, so finding the knee is exit 3: to a CI job that wants
20 callers held, run a ladder that ends at 20.

A search has to break the server to find its answer, so that is no failure of it:

    an answer was found                                   pass      exit 0
    it is less than the number that it began with         fail      exit 3: even --from misses an objective
    the load generator was the limit, or the trials       invalid   exit 4: what held so far is in the report
    contradict each other, or it was stopped
"""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.capacity.answer import CapacityAnswer
from stt_load.capacity.search import SearchEnd
from stt_load.errors import ExitCode
from stt_load.report.model import Knee, RunReport, StageReport, Verdict

_EXIT_CODES: dict[Verdict, ExitCode] = {
    Verdict.PASS: ExitCode.FINE,
    Verdict.FAIL: ExitCode.SLO_MISSED,
    Verdict.INVALID: ExitCode.NOT_BELIEVABLE,
    Verdict.EMPTY: ExitCode.NOT_BELIEVABLE,
    Verdict.ABORTED: ExitCode.ABORTED,
    Verdict.ERROR: ExitCode.FAILED,
}


def find_knee(stages: Sequence[StageReport], *, ended_at: int | str | None = None) -> Knee:
    """The knee. Stages with the same number of callers count as one: all of them must pass. `ended_at`: callers of the
    stage in which the run was killed or ended early, or its rate of calls."""
    ladder = sorted(stages, key=lambda stage: stage.level)
    breaks = next((stage for stage in ladder if stage.verdict is not Verdict.PASS), None)
    held = [stage for stage in ladder if breaks is None or stage.level < breaks.level]
    tried = [stage for stage in ladder if stage.figures.n]
    above = breaks is not None and any(stage.verdict is Verdict.PASS for stage in ladder if stage.level > breaks.level)
    return Knee(
        holds=held[-1] if held else None,
        breaks=breaks,
        tried=tried[-1].users if tried else None,
        ended_at=ended_at,
        passes_above=above,
        tried_rate=tried[-1].rate if tried else None,
    )


def run_verdict(
    stages: Sequence[StageReport], found: Verdict, *, is_finished: bool, is_aborted: bool, has_failed: bool = False
) -> Verdict:
    """The verdict of the run. `found`: what its stages say. `is_finished`: it wrote its last transition. `is_aborted`:
    it was ended early.
    `has_failed`: this program or its machine did."""
    if has_failed:
        return Verdict.ERROR
    if is_aborted:
        return Verdict.ABORTED
    if not any(stage.figures.n for stage in stages):
        return Verdict.EMPTY
    if not is_finished:
        return Verdict.INVALID
    return found


def ladder_verdict(knee: Knee) -> Verdict:
    """What the stages of a ladder say."""
    if knee.breaks is None:
        return Verdict.PASS
    return Verdict.FAIL if knee.breaks.verdict is Verdict.FAIL else Verdict.INVALID


def search_verdict(answer: CapacityAnswer, first_users: int) -> Verdict:
    """What the trials of a search say. `first_users`: with how many callers it began."""
    has_missed = answer.broke is not None and answer.holds < first_users
    match answer.why_over:
        case SearchEnd.FOUND | SearchEnd.MOST_HOLDS:
            return Verdict.FAIL if has_missed else Verdict.PASS
        case None:  # every caller of the first trial was refused, or Locust was told to stop
            return Verdict.FAIL if has_missed and answer.trials == 1 else Verdict.INVALID
    return Verdict.INVALID


def exit_code(report: RunReport) -> ExitCode:
    """The exit code of the process that made this report."""
    return _EXIT_CODES[report.verdict]

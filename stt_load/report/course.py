"""What a run's course adds to its stages: the recovery from a spike, what was given back on the way down, the drift of
a soak; and what they mean for the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from stt_load.metrics.recovery import Recovery
from stt_load.options import Course
from stt_load.report.knee import ladder_verdict
from stt_load.report.model import Knee, StageReport, Verdict


def course_of(run: Mapping[str, Any]) -> Course:
    """How the number of callers changed; a ladder where the run doesn't say, as those of earlier versions."""
    with suppress(ValueError):
        return Course(run.get("course") or "")
    return Course.LADDER


def way_up(run: Mapping[str, Any], stages: Sequence[StageReport]) -> Sequence[StageReport]:
    """The stages that say how many callers the server holds: all, but for those of a way down, and what comes after a
    spike, which may be late because of the spike alone."""
    if course_of(run) not in (Course.RAMP_DOWN, Course.SPIKE) or not stages:
        return stages
    largest = max(stage.users for stage in stages)
    top = next(place for place, stage in enumerate(stages) if stage.users == largest)
    return stages[: top + 1]


def course_verdict(
    run: Mapping[str, Any], stages: Sequence[StageReport], knee: Knee, recovery: Recovery | None
) -> Verdict:
    """What the stages say of the run, by its course."""
    match course_of(run):
        case Course.SPIKE:
            return _spike_verdict(stages, recovery)
        case Course.RAMP_DOWN:
            found = ladder_verdict(knee)
            return found if found is not Verdict.PASS else _worst(stages[len(way_up(run, stages)) :])
    return ladder_verdict(knee)


def _spike_verdict(stages: Sequence[StageReport], recovery: Recovery | None) -> Verdict:
    """A spike is meant to be too much, so that it misses an objective is no failure; that the few callers before it
    miss one is, or that the objectives don't hold again."""
    if not all(stage.verdict.is_believable for stage in stages) or recovery is None:
        return Verdict.INVALID
    if stages[0].verdict is Verdict.FAIL:
        return Verdict.FAIL
    if not recovery.objectives:
        return Verdict.PASS
    if recovery.recovery_s is None:
        return Verdict.INVALID if recovery.is_too_short else Verdict.FAIL
    return Verdict.PASS


def _worst(stages: Sequence[StageReport]) -> Verdict:
    verdicts = {stage.verdict for stage in stages}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if verdicts <= {Verdict.PASS} else Verdict.INVALID

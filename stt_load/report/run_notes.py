"""What a report says below its tables: of the run and its files, of its rows, of its stages. A line for each thing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.kinds import LoadKind
from stt_load.report.aggregate import RunAggregate
from stt_load.report.damage import Damage
from stt_load.report.model import StageReport, Verdict
from stt_load.report.stage_timeline import StageTimeline, Transition, delivery_of
from stt_load.report.wording import at_callers, names_of


def notes_of_run(run: Mapping[str, Any], damage: Damage) -> list[str]:
    """What `run.json` says, and what is wrong with the raw files."""
    failure, frame_note = run.get("failure"), (run.get("frame") or {}).get("note")
    return [
        *([f"the run failed: {failure}"] if failure else []),
        *([frame_note] if frame_note else []),
        *run.get("notes", ()),
        *damage.notes,
    ]


def notes_of_rows(done: Transition | None, aggregate: RunAggregate) -> list[str]:
    """What the rows of the utterances lack, and what was in their texts. `done`: the last line of stages.jsonl; None of
    a run that did not come to its end."""
    notes = []
    if done is None:
        notes.append("the run was killed, or is still going on: utterances that were in flight are missing")
    if aggregate.tagged:
        notes.append(
            f"transcripts with tags of the model in them, like <|en|>, which were taken out before scoring: "
            f"{aggregate.tagged}"
        )
    return notes


def notes_of_stages(
    done: Transition | None, timelines: Sequence[StageTimeline], stages: Sequence[StageReport], kind: LoadKind
) -> list[str]:
    """What happened in stages beside what their figures say. `stages`: those that are judged; `timelines`: of all."""
    judged = [timeline for timeline in timelines if timeline.is_judged]
    return [
        *_workers_lost(done, judged, names_of(stages), kind),
        *_ended_early(stages, kind),
        *_missed_before_hold(stages, kind),
        *_not_judged(timelines),
    ]


def _workers_lost(
    done: Transition | None, timelines: Sequence[StageTimeline], names: Mapping[int, str], kind: LoadKind
) -> list[str]:
    """One line where load workers went or fell silent, with the stages that they were lost in."""
    lost = {names[each.stage]: each.workers_lost for each in timelines if each.workers_lost}
    n = max(int(delivery_of(done or {}).get("workers_lost", 0)), sum(lost.values()))
    where = f", {at_callers(list(lost), kind)}" if lost else ", in no hold or grace"
    return [f"load workers that were lost, or silent for long: {n}{where}"] if n else []


def _ended_early(stages: Sequence[StageReport], kind: LoadKind) -> list[str]:
    """A line for each stage whose hold ended before its time."""
    names = names_of(stages)
    ended = [(at_callers([names[each.figures.stage]], kind), each.hold_s or 0.0, each.breach) for each in stages]
    return [
        f"{where} the hold ended early, after {hold_s:.1f} s: {breach}" for where, hold_s, breach in ended if breach
    ]


def _missed_before_hold(stages: Sequence[StageReport], kind: LoadKind) -> list[str]:
    """A line for each stage that passes, though utterances which ended in its hold and don't count were too slow: the
    server may have stood still for a moment that no counted utterance met."""
    names, lines = names_of(stages), []
    for stage in stages:
        for result in stage.slos if stage.verdict is Verdict.PASS else ():
            values, slo = stage.before_hold, result.slo
            value = values.statistic(slo.statistic or "") if slo.figure.field == kind.headline and values.n else None
            if value is not None and not slo.is_met_by(value):
                worst = values.max or 0.0
                found = f"up to {worst:.2f} s" if math.isfinite(worst) else "one failed"
                lines.append(
                    f"{at_callers([names[stage.figures.stage]], kind)} the {values.n} utterances that began before the "
                    f"hold and ended in it would miss {slo.text} ({found}). They don't count; a longer --hold has more "
                    "such moments in it"
                )
    return lines


def _not_judged(timelines: Sequence[StageTimeline]) -> list[str]:
    """Lines about numbers of callers with which there is no stage to be judged."""
    calms = " and ".join(f"{timeline.length_s:.0f} s" for timeline in timelines if not timeline.users)
    passed = ", ".join(str(timeline.users) for timeline in timelines if timeline.users and not timeline.is_judged)
    notes = []
    if calms:
        notes.append(f"the number of callers was 0 for {calms}: that is not judged")
    if passed:
        notes.append(f"numbers of callers that were changed again before all had arrived are not judged: {passed}")
    return notes

"""The tables of a run that is no plain ladder, as every form of the report prints them: after its answer."""

from __future__ import annotations

from dataclasses import dataclass

from stt_load.kinds import LoadKind
from stt_load.metrics.figures import NOTHING
from stt_load.metrics.recovery import WINDOW, Recovery
from stt_load.report.course import SPIKE_STAGE
from stt_load.report.given_back import given_back, stages_compared
from stt_load.report.model import RunReport
from stt_load.report.text_table import TextTable
from stt_load.report.wording import callers, percent


@dataclass(frozen=True, slots=True)
class TitledTable:
    title: str
    table: TextTable


def course_tables(report: RunReport) -> tuple[TitledTable, ...]:
    """Those that the run has; none for a ladder or a search."""
    tables = (("After the spike", _recovery_table(report)), ("What the server gives back", _given_back_table(report)))
    return tuple(TitledTable(title, table) for title, table in tables if table is not None)


def recovery_sentence(report: RunReport) -> str:
    """The answer of a run with a spike: `40 callers for 30 s: 12.4 s later the objectives held again; …`."""
    recovery = report.recovery
    if recovery is None:
        return "the run did not come to the end of its spike, so nothing is known of what came after"
    spike = next((stage for stage in report.stages if stage.figures.stage == SPIKE_STAGE), None)
    lasted = f"{callers(spike.users, report.kind)} for {spike.hold_s or 0.0:.0f} s" if spike else "a spike"
    return f"after {lasted} {_held_again(recovery)}; {_waiting(recovery, report.kind)}"


def _held_again(recovery: Recovery) -> str:
    if not recovery.objectives:
        return "no objective is set that utterance by utterance could hold again"
    if recovery.recovery_s is None:
        few = f": only {recovery.n_after} utterances" if recovery.is_too_short else ""
        return f"the objectives did not hold again within {recovery.watched_s:.0f} s{few}"
    if not recovery.recovery_s:
        return "the objectives held at once"
    return f"the objectives held again within {recovery.recovery_s:.1f} s"


def _waiting(recovery: Recovery, kind: LoadKind) -> str:
    if not recovery.waiting:
        return "nobody waited for a last word when they had left"
    longest = f"the longest for {recovery.last_word_s:.1f} s"
    return f"{recovery.waiting} waited for their last word when they had left, {longest}"


def _recovery_table(report: RunReport) -> TextTable | None:
    recovery = report.recovery
    if recovery is None:
        return None
    again = "at once" if recovery.recovery_s == 0.0 else NOTHING
    if recovery.recovery_s:
        again = f"{recovery.recovery_s:.1f} s"
    elif recovery.recovery_s is None and recovery.objectives:
        again = f"not within {recovery.watched_s:.0f} s"
    rows = (
        ("until the objectives hold again", again),
        ("waiting for their last word as the spike ended", str(recovery.waiting)),
        ("until the last of these had come", f"{recovery.last_word_s:.1f} s"),
        (
            "failed of those that began in the spike",
            f"{recovery.spike_errors} of {recovery.in_spike} ({percent(recovery.error_rate)})",
        ),
    )
    looked_at = ", ".join(recovery.objectives) or "none"
    notes = (
        "The clock starts when the last audio of the spike has been sent.",
        f"The objectives hold again from the utterance on from which each {WINDOW} in a row, by end of speech, meet "
        f"them ({looked_at}).",
        "That the spike itself misses an objective is no failure of the run.",
    )
    return TextTable(("", "value"), rows, notes)


def _given_back_table(report: RunReport) -> TextTable | None:
    figures, compared = given_back(report), stages_compared(report)
    if not figures or compared is None:
        return None
    before, most, after = (stage.users for stage in compared)
    return TextTable(
        ("", f"{before} before", str(most), f"{after} after", "given back"),
        tuple(
            (
                each.name,
                *map(each.told, (each.before, each.most, each.after)),
                NOTHING if each.share is None else f"{100 * each.share:.0f} %",
            )
            for each in figures
        ),
        (
            f"By {report.kind.callers}. Given back: of what the most took more than the few before them. Memory: the "
            "mean of the hold; of the most its peak.",
        ),
    )

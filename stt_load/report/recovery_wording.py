"""What came after a spike in words and rows, in one place, so that the console, the page and the files agree."""

from __future__ import annotations

from stt_load.metrics.recovery import WINDOW, Recovery
from stt_load.report.model import RunReport
from stt_load.report.stage_timeline import SPIKE_STAGE
from stt_load.report.text_table import TextTable
from stt_load.report.wording import callers, percent


def recovery_sentence(report: RunReport) -> str:
    """The answer of a run with a spike: `after 40 callers for 30 s the objectives held again within 12.4 s; …`."""
    recovery = report.recovery
    if recovery is None:
        if not report.run.get("ended_at"):  # it goes on, or was killed
            return "the run is not at its end, so nothing is known of what comes after the spike"
        return "the run did not come to the end of its spike, so nothing is known of what came after"
    spike = next((stage for stage in report.stages if stage.figures.stage == SPIKE_STAGE), None)
    lasted = f"{callers(spike.users, report.kind)} for {spike.hold_s or 0.0:.0f} s" if spike else "a spike"
    return f"after {lasted} {_held_again(recovery)}{_missed_before(report, recovery)}; {_waited(recovery)}"


def recovery_table(report: RunReport) -> TextTable | None:
    """A row for each thing that is known; None where the run had no spike, or did not come to its end."""
    recovery = report.recovery
    if recovery is None:
        return None
    errors = f"{recovery.spike_errors} of {recovery.in_spike} ({percent(recovery.error_rate)})"
    rows = (
        ("objectives hold again", _again(recovery)),
        ("waiting as it ended", str(recovery.waiting)),
        ("the last of these", f"{recovery.last_word_s:.1f} s"),
        ("failed in the spike", errors),
    )
    looked_at = ", ".join(recovery.objectives) or "none"
    notes = (
        "The clock starts when the last audio of the spike has been sent.",
        f"The objectives hold again from the utterance on from which each {WINDOW} in a row, by end of speech, meet "
        f"them ({looked_at}).",
        "Waiting: utterances whose speech had ended by then, and whose last word had not come; the last of these: when "
        "it had come.",
        "That the spike itself misses an objective is no failure of the run.",
    )
    return TextTable(("", "value"), rows, notes)


def _again(recovery: Recovery) -> str:
    if not recovery.objectives:
        return "none is set"
    if recovery.is_too_short:
        return "can't tell"
    if recovery.recovery_s is None:
        return f"not within {recovery.watched_s:.0f} s"
    return f"within {recovery.recovery_s:.1f} s" if recovery.recovery_s else "at once"


def _held_again(recovery: Recovery) -> str:
    if not recovery.objectives:
        return "no objective about times or errors is set that could hold again"
    if recovery.is_too_short:
        few = f"{recovery.n_after} utterances in {recovery.watched_s:.0f} s are too few"
        return f"it can't be told when the objectives held again: {few}"
    if recovery.recovery_s is None:
        return f"the objectives did not hold again {_again(recovery).removeprefix('not ')}"
    return f"the objectives held {'again ' if recovery.recovery_s else ''}{_again(recovery)}"


def _missed_before(report: RunReport, recovery: Recovery) -> str:
    """What is to be said where nothing could hold again, since it had not held before."""
    results = [result for stage in report.stages[:1] for result in stage.slos if result.slo.text in recovery.objectives]
    if all(result.seems_met for result in results):
        return ""
    if recovery.is_too_short:
        return ", and they were missed before it as well"
    return ", nor had they before it" if recovery.recovery_s is None else ", though they had not before it"


def _waited(recovery: Recovery) -> str:
    if not recovery.waiting:
        return "nobody waited for a last word when they had left"
    longest = f"the longest for {recovery.last_word_s:.1f} s"
    return f"{recovery.waiting} waited for their last word when they had left, {longest}"

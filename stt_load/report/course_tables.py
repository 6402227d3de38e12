"""The tables of a run that is no plain ladder, as every form of the report prints them: after its answer."""

from __future__ import annotations

from dataclasses import dataclass

from stt_load.kinds import LoadKind
from stt_load.metrics.drift import Axis, Drift, DriftVerdict
from stt_load.metrics.figures import NOTHING, Unit
from stt_load.metrics.recovery import WINDOW, Recovery
from stt_load.report.course import SPIKE_STAGE
from stt_load.report.given_back import WORTH_GIVING_BACK, given_back, stages_compared
from stt_load.report.model import RunReport
from stt_load.report.text_table import TextTable
from stt_load.report.wording import callers, percent


@dataclass(frozen=True, slots=True)
class TitledTable:
    title: str
    table: TextTable


def course_tables(report: RunReport) -> tuple[TitledTable, ...]:
    """Those that the run has; none for a ladder or a search."""
    tables = (
        ("After the spike", _recovery_table(report)),
        ("What the server gives back", _given_back_table(report)),
        ("Drift", _drift_table(report)),
    )
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
        return "no objective about times or errors is set that could hold again"
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
            f"By {report.kind.callers}. Given back: of what the most took more than the few before them, where that is "
            f"over {100 * WORTH_GIVING_BACK:.0f} %. Memory: the mean of the hold; of the most its peak.",
        ),
    )


_AXES = {Axis.RUN: "run", Axis.CONNECTION: "connection"}


def drift_sentence(report: RunReport) -> str:
    """What a soak says beside how many callers were held: `no drift in 8 h`, or what drifts, and what can't be told."""
    drifts = report.drifts
    if not drifts:
        return "nothing is known of drift"
    length = hours(max(drift.length_s for drift in drifts))
    drifting = [drift for drift in drifts if drift.verdict is DriftVerdict.DRIFT]
    found = [f"{_named(drift)} {_signed(drift, drift.change[0])}" for drift in drifting if drift.change]
    unknown = [_named(drift) for drift in drifts if drift.verdict is DriftVerdict.UNKNOWN]
    parts = [f"drift in {length}: {', '.join(found)}"] if found else []
    parts += [f"can't tell of drift in {', '.join(unknown)}"] if unknown else []
    return "; ".join(parts) or f"no drift in {length}"


def hours(seconds: float) -> str:
    """`8 h`, `1.5 h`, `40 min`."""
    return f"{seconds / 60:.0f} min" if seconds < 3_600 else f"{seconds / 3_600:.3g} h"


def _named(drift: Drift) -> str:
    return drift.name if drift.axis is Axis.RUN else f"{drift.name} by {_AXES[drift.axis]}"


def _drift_table(report: RunReport) -> TextTable | None:
    if not report.drifts:
        return None
    length_s = max(drift.length_s for drift in report.drifts)
    return TextTable(
        ("", "age of", "level", "change", "95 % interval", "bound", "verdict"),
        tuple(_drift_row(drift) for drift in report.drifts),
        (
            f"Change: the slope through bins of equal age (Theil–Sen: the median of the slopes of all pairs), over the "
            f"whole time, {hours(length_s)} of the run.",
            "No drift: the interval lies within ± the bound. Drift: it lies outside. Can't tell: neither, or too few "
            "bins of 20 utterances.",
        ),
    )


def _drift_row(drift: Drift) -> tuple[str, ...]:
    start = (drift.name, _AXES[drift.axis])
    if drift.change is None or drift.level is None or drift.bound is None:
        return (*start, *[NOTHING] * 4, str(drift.verdict))
    change, low, high = (_signed(drift, value) for value in drift.change)
    bound = f"± {_measured(drift, drift.bound)}"
    return (*start, _measured(drift, drift.level), change, f"{low} – {high}", bound, str(drift.verdict))


def _signed(drift: Drift, value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{_measured(drift, abs(value))}"


def _measured(drift: Drift, value: float) -> str:
    match drift.unit:
        case Unit.SECONDS:
            return f"{value:.3f} s"
        case Unit.RATIO:
            return f"{100 * value:.2f} %"
    return f"{value:,.0f} {drift.unit}"

"""The drift of a soak in words and rows, in one place, so that the console, the page and the files agree."""

from __future__ import annotations

from stt_load.metrics.drift import Axis, Drift, DriftVerdict
from stt_load.metrics.figures import NOTHING, Unit
from stt_load.report.model import RunReport
from stt_load.report.text_table import TextTable

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


def drift_table(report: RunReport) -> TextTable | None:
    """A row for each figure and age; None where the run is no soak."""
    if not report.drifts:
        return None
    length_s = max(drift.length_s for drift in report.drifts)
    return TextTable(
        ("", "age of", "level", "change", "95 % interval", "bound", "verdict"),
        tuple(_drift_row(drift) for drift in report.drifts),
        (
            "Age of: the run, or each connection. Level: the median of the bins; of few errors, their share.",
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

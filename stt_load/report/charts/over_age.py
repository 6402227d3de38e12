"""The drift of a soak as a chart: a row for each figure, its bins as dots over an age, and the slope through them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from stt_load.metrics.drift import Axis, Drift
from stt_load.metrics.figures import Unit
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import dots, element, label, line, polyline

_WIDTH = 1080.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 28.0, 36.0
_ROW, _BETWEEN = 76.0, 28.0
_STRIPS = 60
_BOUNDS_SEEN = 2.0  # the scale shows at least so many bounds on either side
_HOUR_S = 3_600.0
_TITLES = {Axis.RUN: "the run", Axis.CONNECTION: "the connection"}


def age_chart(drifts: Sequence[Drift], axis: Axis) -> Chart | None:
    """The figures against this age; None where there is none."""
    shown = [drift for drift in drifts if drift.axis is axis and len(drift.points) > 1]
    if not shown:
        return None
    last_s = max(age_s for drift in shown for age_s, _ in drift.points)
    unit, unit_s = ("hours", _HOUR_S) if last_s >= _HOUR_S else ("minutes", 60.0)
    x = Scale(0.0, last_s, _LEFT, _WIDTH - _RIGHT)
    bottom = _TOP + len(shown) * _ROW + (len(shown) - 1) * _BETWEEN
    body = [_row(drift, x, _TOP + place * (_ROW + _BETWEEN)) for place, drift in enumerate(shown)]
    body.append(line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis"))
    for at in ticks(0, last_s / unit_s, 8):
        if at * unit_s <= last_s:
            body.append(label(x(at * unit_s), bottom + 15, f"{at:g}", anchor="middle"))
    words = f"age of {_TITLES[axis]}, {unit}"
    body.append(label((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 31, words, anchor="middle"))
    note = (
        "A dot: one bin of utterances or samples. Line: the slope that is judged. Shaded: how far it may rise or fall."
    )
    return Chart(
        name=f"drift-{axis}",
        title=f"Drift over the age of {_TITLES[axis]}",
        description=note,
        width=_WIDTH,
        height=bottom + _BOTTOM,
        body="".join(body),
        top=_TOP,
        bottom=bottom,
        tips=[_tip(shown, place, last_s, unit, unit_s) for place in range(_STRIPS)],
        note=note,
        is_wide=True,
    )


def _row(drift: Drift, x: Scale, top: float) -> str:
    factor = 100.0 if drift.unit is Unit.RATIO else 1.0
    points = [(age_s, factor * value) for age_s, value in drift.points]
    values = [value for _, value in points]
    reach = _BOUNDS_SEEN * factor * (drift.bound or 0.0)  # so that noise within the bound looks as small as it is
    middle = median(values)
    low = middle - reach if min(values) < 0 else max(middle - reach, 0.0)
    y_ticks = ticks(min([*values, low]), max([*values, middle + reach]), 2)
    y = Scale(y_ticks[0], y_ticks[-1], top + _ROW, top)
    unit = "percent" if drift.unit is Unit.RATIO else drift.unit
    drawn = [_line(drift, points, factor, x, y)] if drift.per_hour is not None else []
    drawn += [line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid") for value in y_ticks]
    drawn += [label(_LEFT - 8, y(value) + 4, tick_text(value), anchor="end") for value in y_ticks]
    drawn.append(label(_LEFT, top - 7, f"{drift.name}, {unit}: {drift.verdict}", "over"))
    drawn.append(dots([(x(at), y(value)) for at, value in points], "dots"))
    return "".join(drawn)


def _line(drift: Drift, points: Sequence[tuple[float, float]], factor: float, x: Scale, y: Scale) -> str:
    """The slope, and the bound around where it begins."""
    slope, bound = factor * (drift.per_hour or 0.0) / _HOUR_S, factor * (drift.bound or 0.0)
    through = median(value - slope * at for at, value in points)
    first, last = points[0][0], points[-1][0]
    start = through + slope * first
    above, below = y(start + bound), y(start - bound)
    area = {"x": x(first), "y": above, "width": x(last) - x(first), "height": below - above}
    ends = [(x(first), y(start)), (x(last), y(through + slope * last))]
    return element("rect", **area, kind="band held") + polyline(ends, "series s1")


def _tip(shown: Sequence[Drift], place: int, last_s: float, unit: str, unit_s: float) -> Tip:
    width = (_WIDTH - _RIGHT - _LEFT) / _STRIPS
    left, at_s = _LEFT + place * width, (place + 0.5) / _STRIPS * last_s
    told = []
    for drift in shown:
        _, value = min(drift.points, key=lambda point: abs(point[0] - at_s))
        shown_value = f"{100 * value:.2f} %" if drift.unit is Unit.RATIO else f"{value:.4g} {drift.unit}"
        told.append(f"{drift.name} {shown_value}")
    return Tip(left + width / 2, left, width, (f"{at_s / unit_s:.2f} {unit}", *told), is_stop=place % 10 == 5)

"""The drift of a soak as a chart: a row for each figure, its bins as dots over an age, and the slope through them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from stt_load.metrics.drift import Axis, Drift
from stt_load.metrics.figures import Unit
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import dots, label, line, polyline

_WIDTH = 1080.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 28.0, 36.0
_ROW, _BETWEEN = 76.0, 28.0
_STRIPS = 60
_HOUR_S = 3_600.0
_TITLES = {Axis.RUN: "the run", Axis.CONNECTION: "the connection"}


def age_chart(drifts: Sequence[Drift], axis: Axis) -> Chart | None:
    """The figures against this age; None where there is none."""
    shown = [drift for drift in drifts if drift.axis is axis and len(drift.points) > 1]
    if not shown:
        return None
    last_h = max(age_s for drift in shown for age_s, _ in drift.points) / _HOUR_S
    x = Scale(0.0, last_h, _LEFT, _WIDTH - _RIGHT)
    bottom = _TOP + len(shown) * _ROW + (len(shown) - 1) * _BETWEEN
    body = [_row(drift, x, _TOP + place * (_ROW + _BETWEEN)) for place, drift in enumerate(shown)]
    body.append(line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis"))
    body += [label(x(at), bottom + 15, f"{at:g}", anchor="middle") for at in ticks(0, last_h, 8) if at <= last_h]
    words = f"age of {_TITLES[axis]}, hours"
    body.append(label((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 31, words, anchor="middle"))
    note = "A dot: the utterances or samples of a bin. Line: the slope that is judged, where it could be found."
    return Chart(
        name=f"drift-{axis}",
        title=f"Drift over the age of {_TITLES[axis]}",
        description=note,
        width=_WIDTH,
        height=bottom + _BOTTOM,
        body="".join(body),
        top=_TOP,
        bottom=bottom,
        tips=[_tip(shown, place, last_h) for place in range(_STRIPS)],
        note=note,
        is_wide=True,
    )


def _row(drift: Drift, x: Scale, top: float) -> str:
    factor = 100.0 if drift.unit is Unit.RATIO else 1.0
    points = [(age_s / _HOUR_S, factor * value) for age_s, value in drift.points]
    y_ticks = ticks(min(0.0, *(value for _, value in points)), max(value for _, value in points) or 1.0, 2)
    y = Scale(y_ticks[0], y_ticks[-1], top + _ROW, top)
    unit = "percent" if drift.unit is Unit.RATIO else drift.unit
    drawn = [line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid") for value in y_ticks]
    drawn += [label(_LEFT - 8, y(value) + 4, tick_text(value), anchor="end") for value in y_ticks]
    drawn.append(label(_LEFT, top - 7, f"{drift.name}, {unit}: {drift.verdict}", "over"))
    drawn.append(dots([(x(at), y(value)) for at, value in points], "dots"))
    if drift.per_hour is not None:
        slope = factor * drift.per_hour
        through = median(value - slope * at for at, value in points)
        ends = [(x(at), y(through + slope * at)) for at in (points[0][0], points[-1][0])]
        drawn.append(polyline(ends, "series s1"))
    return "".join(drawn)


def _tip(shown: Sequence[Drift], place: int, last_h: float) -> Tip:
    width = (_WIDTH - _RIGHT - _LEFT) / _STRIPS
    left, at_h = _LEFT + place * width, (place + 0.5) / _STRIPS * last_h
    told = []
    for drift in shown:
        _, value = min(drift.points, key=lambda point: abs(point[0] / _HOUR_S - at_h))
        told.append(
            f"{drift.name} " + (f"{100 * value:.2f} %" if drift.unit is Unit.RATIO else f"{value:.4g} {drift.unit}")
        )
    return Tip(left + width / 2, left, width, (f"{at_h:.2f} h", *told), is_stop=place % 10 == 5)

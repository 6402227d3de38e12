"""A server's patience against its delay: how late it ends turns, and how many of those with a pause it cuts.

A line for each length of the pause, the stronger the longer it is; its points are the stages, with their callers.
Right is late, up is impatient: a good endpointer is in the lower left corner, and a tuned one moves along a curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stt_load.report.charts.chart import Chart
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import dots, element, label, line, number, polyline
from stt_load.report.model import RunReport

_WIDTH, _BOTTOM = 420.0, 40.0
_LEFT, _TOP, _END, _FLOOR = 48.0, 40.0, 366.0, 210.0  # the edges of the field
_LEAST_APART = 13.0  # two names, in pixels

_Points = list[tuple[float, float, int]]  # delay p95 in seconds, cut in percent, callers
_y = Scale(0.0, 100.0, _FLOOR, _TOP)


def delay_against_cuts_chart(report: RunReport) -> Chart | None:
    """The chart; None where no clip was given a pause, or no delay is known."""
    lines = {pause_s: points for pause_s in _lengths(report) if (points := _points(report, pause_s))}
    if not lines:
        return None
    delays_s = [delay_s for points in lines.values() for delay_s, _, _ in points]
    x_ticks = ticks(min(0.0, *delays_s), max(delays_s), 6)
    x = Scale(x_ticks[0], x_ticks[-1], _LEFT, _END)
    told = "; ".join(
        f"Pause {_named(pause_s)}: "
        + ", ".join(f"{cut:.0f} %, p95 {delay_s:.2f} s at {users}" for delay_s, cut, users in of)
        for pause_s, of in lines.items()
    )
    return Chart(
        name="delay-against-cuts",
        title=f"Patience against delay: turns cut early in a pause, for each number of {report.kind.callers}",
        description=f"Cut early and endpointing delay: {told}.",
        width=_WIDTH,
        height=_FLOOR + _BOTTOM,
        body=_axes(x, x_ticks) + _drawn(x, lines),
        top=_TOP,
        bottom=_FLOOR,
        note=f"Further down: more patient. Further left: sooner. Numbers at the points: {report.kind.callers}.",
    )


def _axes(x: Scale, x_ticks: Sequence[float]) -> str:
    written = [label(_LEFT, _TOP - 25, "percent of utterances cut early"), label(_END + 6, _TOP - 25, "pause")]
    for value in ticks(0, 100):
        written += [line(_LEFT, _y(value), _END, _y(value), "grid")]
        written += [label(_LEFT - 8, _y(value) + 4, tick_text(value), anchor="end")]
    written += [label(x(value), _FLOOR + 15, tick_text(value), anchor="middle") for value in x_ticks]
    written += [line(_LEFT, _FLOOR, _END, _FLOOR, "axis")]
    written += [label((_LEFT + _END) / 2, _FLOOR + 31, "endpointing delay p95, seconds", anchor="middle")]
    return "".join(written)


def _drawn(x: Scale, lines: Mapping[float | None, _Points]) -> str:
    written, names = [], []
    for place, (pause_s, points) in enumerate(lines.items()):
        at = [(x(delay_s), _y(cut)) for delay_s, cut, _ in points]
        strength = number(0.4 + 0.6 * (place + 1) / len(lines))
        written.append(element("g", polyline(at, "curve"), dots(at, "dots"), stroke_opacity=strength))
        written += [
            label(left, top - 6, str(users), "over", "middle")
            for (left, top), (_, _, users) in zip(at, points, strict=True)
        ]
        names.append((at[-1][1], _named(pause_s)))
    lowest = math.inf
    for height, name in sorted(names, reverse=True):  # from the floor up, each clear of the one below it
        lowest = min(height, lowest - _LEAST_APART)
        written.append(label(_END + 8, lowest + 4, name, "head"))
    return "".join(written)


def _named(pause_s: float | None) -> str:
    return "none" if pause_s is None else f"{pause_s:g} s"


def _lengths(report: RunReport) -> list[float | None]:
    found = {figures.pause_s for stage in report.stages for figures in stage.by_pause}
    return sorted(found, key=lambda pause_s: pause_s or 0.0)


def _points(report: RunReport, pause_s: float | None) -> _Points:
    points = [
        (figures.delay.at(0.95), 100 * figures.cut_early_rate, stage.users)
        for stage in sorted(report.stages, key=lambda stage: stage.users)
        for figures in stage.by_pause
        if figures.pause_s == pause_s
    ]
    return [(delay_s, cut, users) for delay_s, cut, users in points if delay_s is not None and math.isfinite(delay_s)]

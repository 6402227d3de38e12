"""A server's patience against its delay: how late it ends turns, and how many of those with a pause it cuts.

A line for each length of the pause, the stronger the longer it is; its points are the stages, with their callers.
Right is late, up is impatient: a good endpointer is in the lower left corner, and a tuned one moves along a curve.
"""

from __future__ import annotations

import math

from stt_load.report.charts.chart import Chart
from stt_load.report.charts.plane import FLOOR, HEIGHT, TOP, WIDTH, PlaneLine, Point, draw_plane
from stt_load.report.endpointing_table import pause_lengths_s
from stt_load.report.model import RunReport

_Points = list[tuple[float, float, int]]  # delay p95 in seconds, cut in percent, callers


def delay_against_cuts_chart(report: RunReport) -> Chart | None:
    """The chart; None where no clip was given a pause, or no delay is known."""
    lines = {pause_s: points for pause_s in pause_lengths_s(report) if (points := _points(report, pause_s))}
    if not lines:
        return None
    drawn = [
        PlaneLine(_named(pause_s), [Point(delay_s, cut, str(users)) for delay_s, cut, users in points])
        for pause_s, points in lines.items()
    ]
    told = "; ".join(
        f"Pause {_named(pause_s)}: "
        + ", ".join(f"{cut:.0f} %, p95 {delay_s:.2f} s at {users}" for delay_s, cut, users in of)
        for pause_s, of in lines.items()
    )
    return Chart(
        name="delay-against-cuts",
        title=f"Patience against delay, for each number of {report.kind.callers}",
        description=f"Cut early and endpointing delay: {told}.",
        width=WIDTH,
        height=HEIGHT,
        body=draw_plane(drawn, "endpointing delay p95, seconds", "percent of utterances cut early", "pause", 100),
        top=TOP,
        bottom=FLOOR,
        note=f"Further down: more patient. Further left: sooner. Numbers at the points: {report.kind.callers}.",
    )


def _named(pause_s: float | None) -> str:
    return "none" if pause_s is None else f"{pause_s:g} s"


def _points(report: RunReport, pause_s: float | None) -> _Points:
    points = [
        (figures.delay.at(0.95), 100 * figures.cut_early_rate, stage.users)
        for stage in sorted(report.stages, key=lambda stage: stage.users)
        for figures in stage.by_pause
        if figures.pause_s == pause_s
    ]
    return [(delay_s, cut, users) for delay_s, cut, users in points if delay_s is not None and math.isfinite(delay_s)]

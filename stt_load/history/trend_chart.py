"""A chart of one figure over the runs of a series, oldest at the left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stt_load.history.run_row import RunRow, StageRow
from stt_load.history.series import Series
from stt_load.history.series_table import date_of
from stt_load.metrics.figures import FAILED, NOTHING
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import crosses, element, label, line, polyline

_WIDTH, _HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 408, 30, 168
_DOTS_AT_MOST = 60


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure that is drawn. `value`: of a stage; None for the callers that a run holds."""

    name: str
    title: str
    unit: str
    value: Callable[[StageRow], float | None] | None
    factor: float = 1.0


TRENDS = (
    Trend("held", "Callers held", "callers", None),
    Trend("p95", "Latency p95", "s", lambda stage: stage.p95_s),
    Trend("wer", "Word error rate", "%", lambda stage: stage.wer, 100),
    Trend("errors", "Error rate", "%", lambda stage: stage.error_rate, 100),
    Trend("energy", "Energy per audio minute", "J", lambda stage: stage.energy_j),
)


def trend_charts(series: Series) -> list[Chart]:
    """The charts of one series that have at least two points."""
    return [chart for trend in TRENDS if (chart := _chart(series, trend)) is not None]


def _chart(series: Series, trend: Trend) -> Chart | None:
    values = [_value(series, trend, run) for run in series.runs]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if len([value for value in values if value is not None]) < 2:
        return None
    scale = ticks(0.0, max(finite, default=1.0) or 1.0, 4)
    y = Scale(scale[0], scale[-1], _BOTTOM, _TOP)
    x = Scale(0, max(len(values) - 1, 1), _LEFT + 8, _RIGHT - 8)
    shown = [(x(place), y(value)) for place, value in enumerate(values) if value is not None and math.isfinite(value)]
    failed = [(x(place), float(_TOP)) for place, value in enumerate(values) if value is not None and math.isinf(value)]
    body = [
        label(_LEFT, _TOP - 12, trend.unit, anchor="end"),
        *(line(_LEFT, y(tick), _RIGHT, y(tick), "grid") for tick in scale),
        *(label(_LEFT - 6, y(tick) + 4, tick_text(tick), anchor="end") for tick in scale),
        polyline(shown, "series s0") if len(shown) > 1 else "",
        *(element("circle", cx=cx, cy=cy, r=3.5, kind="point f0") for cx, cy in shown if len(shown) <= _DOTS_AT_MOST),
        crosses(failed, "cross") if failed else "",
        label(_LEFT, _HEIGHT - 10, date_of(series.runs[0])[:10]),
        label(_RIGHT, _HEIGHT - 10, date_of(series.runs[-1])[:10], anchor="end"),
    ]
    width = (x(1) - x(0)) if len(values) > 1 else _RIGHT - _LEFT
    return Chart(
        name=trend.name,
        title=trend.title,
        description=f"{len(values)} runs, oldest at the left",
        width=_WIDTH,
        height=_HEIGHT,
        body="".join(body),
        top=_TOP,
        bottom=_BOTTOM,
        tips=_tips(series.runs, values, x, width, trend),
    )


def _tips(runs: Sequence[RunRow], values: Sequence[float | None], x: Scale, width: float, trend: Trend) -> list[Tip]:
    return [
        Tip(at, at - width / 2, width, (date_of(run), f"{_told(value)} {trend.unit}", str(run.verdict)), is_stop=False)
        for at, run, value in zip(map(x, range(len(runs))), runs, values, strict=True)
    ]


def _told(value: float | None) -> str:
    if value is None:
        return NOTHING
    return FAILED if math.isinf(value) else f"{value:.4g}"


def _value(series: Series, trend: Trend, run: RunRow) -> float | None:
    if trend.value is None:
        return None if run.holds is None or not run.is_good else float(run.holds)
    stage = None if series.users is None else run.at(series.users)
    value = None if stage is None else trend.value(stage)
    return None if value is None else trend.factor * value

"""A chart of one figure over the runs of a series, oldest at the left."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stt_load.history.figures import FIGURES, HELD, HistoryFigure
from stt_load.history.run_row import RunRow
from stt_load.history.series import Series
from stt_load.history.series_table import date_of
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import crosses, element, label, line, polyline

_WIDTH, _HEIGHT = 420, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 408, 30, 168
_DOTS_AT_MOST = 60


def trend_charts(series: Series) -> list[Chart]:
    """The charts of one series that have at least two points."""
    return [chart for figure in FIGURES if (chart := _chart(series, figure)) is not None]


def _chart(series: Series, figure: HistoryFigure) -> Chart | None:
    found = [_value(series, figure, run) for run in series.runs]
    values = [None if value is None else figure.factor * value for value in found]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if len([value for value in values if value is not None]) < 2:
        return None
    scale = ticks(0.0, max(finite, default=1.0) or 1.0, 4)
    y = Scale(scale[0], scale[-1], _BOTTOM, _TOP)
    x = Scale(0, max(len(values) - 1, 1), _LEFT + 8, _RIGHT - 8)
    shown = [(x(place), y(value)) for place, value in enumerate(values) if value is not None and math.isfinite(value)]
    failed = [(x(place), float(_TOP)) for place, value in enumerate(values) if value is not None and math.isinf(value)]
    body = [
        label(_LEFT, _TOP - 12, figure.unit or "callers", anchor="end"),
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
        name=figure.column,
        title=figure.title,
        description=f"{len(values)} runs, oldest at the left",
        width=_WIDTH,
        height=_HEIGHT,
        body="".join(body),
        top=_TOP,
        bottom=_BOTTOM,
        tips=_tips(series.runs, [_told(figure, value) for value in found], x, width),
    )


def _tips(runs: Sequence[RunRow], told: Sequence[str], x: Scale, width: float) -> list[Tip]:
    return [
        Tip(at, at - width / 2, width, (date_of(run), value, str(run.verdict)), is_stop=False)
        for at, run, value in zip(map(x, range(len(runs))), runs, told, strict=True)
    ]


def _value(series: Series, figure: HistoryFigure, run: RunRow) -> float | None:
    """The value as it is drawn. What a run holds that is not to be believed is nothing."""
    return None if figure is HELD and not run.is_good else figure.value(run, series.users)


def _told(figure: HistoryFigure, value: float | None) -> str:
    return f"{figure.told(value)} callers" if figure is HELD else figure.told(value)

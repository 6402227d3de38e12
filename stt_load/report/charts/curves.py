"""Charts with a curve for each stage: the share of utterances answered within a time, and latency over the age of a
connection.

A curve has the colour of its stage's verdict, the stronger the more callers it had, and its callers stand on it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stt_load.metrics.figures import Figure
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import Position, element, label, line, number, polyline
from stt_load.report.model import RunReport, StageReport
from stt_load.report.wording import names_of

_WIDTH, _HEIGHT = 420.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 14.0, 20.0, 40.0
_MOST_CURVES = 8
_STRIPS = 24
_POINTS = 80  # of a curve
_LABELS_AT = (0.92, 0.78, 0.64, 0.50, 0.36, 0.22)  # heights on the curves, so that neighbours don't collide


@dataclass(frozen=True, slots=True)
class Curve:
    """One stage's points, x ascending. `label_at`: the place of its name."""

    stage: StageReport
    points: Sequence[Position]
    label_at: Position


def distribution_chart(
    report: RunReport, figure: Figure, title: str, bounds: Sequence[tuple[str, float]]
) -> Chart | None:
    """The share of utterances whose figure is at most so much; those that failed never get there."""
    shown = _picked([stage for stage in report.stages if stage.figures.distributions[figure.name].n])
    if not shown:
        return None
    longest = max(stage.figures.distributions[figure.name].at(0.99) or 0.0 for stage in shown)
    shortest = min(0.0, *(stage.figures.distributions[figure.name].at(0.01) or 0.0 for stage in shown))
    x_ticks = ticks(shortest, max([longest, *(1.05 * value for _, value in bounds)]), 6)
    curves = [_distribution(stage, figure, place, x_ticks[-1]) for place, stage in enumerate(shown)]

    def tell(stage: StageReport, x: float) -> str:
        return f"{100 * _share_within(stage, figure, x):.1f} % within {x:.2f} s"

    return _Curves(report, curves, x_ticks, ticks(0, 100), "percent of utterances", "seconds", bounds, tell).chart(
        "distribution",
        f"{title}: share of utterances within it, a curve for each "
        + ("rate of calls" if report.is_open_loop else f"number of {report.kind.callers}"),
    )


def ages_chart(report: RunReport) -> Chart | None:
    """EOS latency p50 against the age of the connection."""
    curves = []
    for stage in _picked([stage for stage in report.stages if stage.ages]):
        points = [(age.age_s_mean, p50) for age in stage.ages if (p50 := age.eos_latency.at(0.50)) is not None]
        if points:
            curves.append(Curve(stage, points, points[-1]))
    if not curves:
        return None
    every = [point for curve in curves for point in curve.points]

    def tell(stage: StageReport, x: float) -> str:
        (curve,) = [curve for curve in curves if curve.stage is stage]
        age, value = min(curve.points, key=lambda point: abs(point[0] - x))
        return f"{value:.3f} s at {age:.1f} s"

    x_ticks, y_ticks = ticks(0, max(x for x, _ in every), 6), ticks(0, max(y for _, y in every))
    return _Curves(report, curves, x_ticks, y_ticks, "seconds", "age of the connection, seconds", (), tell).chart(
        "connection-age", "EOS latency p50 against the age of the connection"
    )


@dataclass(frozen=True)
class _Curves:
    report: RunReport
    curves: Sequence[Curve]
    x_ticks: list[float]
    y_ticks: list[float]
    y_title: str
    x_title: str
    bounds: Sequence[tuple[str, float]]  # on x
    tell: Callable[[StageReport, float], str]

    def chart(self, name: str, title: str) -> Chart:
        x = Scale(self.x_ticks[0], self.x_ticks[-1], _LEFT, _WIDTH - _RIGHT)
        y = Scale(self.y_ticks[0], self.y_ticks[-1], _TOP + _HEIGHT, _TOP)
        bottom = _TOP + _HEIGHT
        body = [label(_LEFT, _TOP - 7, self.y_title)]
        for value in self.y_ticks:
            body += [line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid")]
            body += [label(_LEFT - 8, y(value) + 4, tick_text(value), anchor="end")]
        body += [label(x(value), bottom + 15, tick_text(value), anchor="middle") for value in self.x_ticks]
        body += [line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis")]
        body += [label((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 31, self.x_title, anchor="middle")]
        for place, curve in enumerate(self.curves):
            strength = 0.4 + 0.6 * (place + 1) / len(self.curves)
            drawn = polyline([(x(at), y(value)) for at, value in curve.points], f"curve {curve.stage.verdict}")
            body.append(element("g", drawn, stroke_opacity=number(strength)))
        for told, value in self.bounds:
            body.append(line(x(value), _TOP, x(value), bottom, "bound"))
            anchor, dx = ("end", -5) if x(value) > _WIDTH / 2 else ("start", 5)
            body.append(label(x(value) + dx, bottom - 6, told, "bound-label over", anchor))
        for curve in self.curves:
            at, value = curve.label_at
            body.append(label(x(at), y(value) + 4, curve.stage.rate or str(curve.stage.users), "head over", "middle"))
        return Chart(
            name=name,
            title=title,
            description=f"{len(self.curves)} curves.",
            width=_WIDTH,
            height=bottom + _BOTTOM,
            body="".join(body),
            top=_TOP,
            bottom=bottom,
            tips=[self._tip(x, place) for place in range(_STRIPS)],
        )

    def _tip(self, x: Scale, place: int) -> Tip:
        width = (x.stop - x.start) / _STRIPS
        left = x.start + place * width
        value = x.low + (place + 0.5) / _STRIPS * (x.high - x.low)
        names = names_of(self.report.stages)
        lines = [f"{names[curve.stage.figures.stage]}: {self.tell(curve.stage, value)}" for curve in self.curves]
        return Tip(
            left + width / 2,
            left,
            width,
            ("calls" if self.report.is_open_loop else self.report.kind.callers, *lines),
            is_stop=place % 4 == 2,
        )


def _picked(stages: Sequence[StageReport]) -> list[StageReport]:
    """At most eight stages, ascending by callers, the first and the last among them."""
    ordered = sorted(stages, key=lambda stage: stage.level)
    if len(ordered) <= _MOST_CURVES:
        return ordered
    return [ordered[round(place * (len(ordered) - 1) / (_MOST_CURVES - 1))] for place in range(_MOST_CURVES)]


def _distribution(stage: StageReport, figure: Figure, place: int, longest: float) -> Curve:
    values = stage.figures.distributions[figure.name]
    reached = values.n / _answers(stage, figure)
    points = [(values.values[0], 0.0)]
    for step in range(1, _POINTS + 1):
        rank = max(1, round(step * values.n / _POINTS))
        points.append((values.values[rank - 1], 100 * reached * rank / values.n))
    points = [point for point in points if point[0] <= longest]
    if points[-1][0] < longest:
        points.append((longest, points[-1][1]))
    wanted = _LABELS_AT[place % len(_LABELS_AT)] * points[-1][1]
    return Curve(stage, points, next(point for point in points if point[1] >= wanted))


def _answers(stage: StageReport, figure: Figure) -> int:
    return stage.figures.distributions[figure.name].n + stage.figures.errors


def _share_within(stage: StageReport, figure: Figure, value: float) -> float:
    values = stage.figures.distributions[figure.name].values
    return bisect_right(values, value) / _answers(stage, figure)

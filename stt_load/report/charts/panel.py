"""One field of a chart over callers: series with a unit in common, their intervals, and the bounds on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter

from stt_load.metrics.figures import FAILED
from stt_load.report.charts.callers_axis import CallersAxis
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import Position, crosses, element, label, line, polyline
from stt_load.report.model import StageReport, Verdict

LABEL_HEIGHT = 13.0
_NARROWEST_LABELLED_BAR = 24.0
_FAILED_LANE = 22.0
_FAR_ABOVE = 5.0  # times the largest value
_BOUND_NAME_WIDTH = 100.0
_MOST_APART = 5.0  # two series at one number of callers
_DOUBTED = frozenset({Verdict.INVALID, Verdict.EMPTY})


@dataclass(frozen=True, slots=True)
class Mark:
    """One figure of one stage.

    `value`: infinite where it falls on failed utterances. `low`, `high`: ends of its 95 % interval; None where n does
    not bound it on that side, and the interval is drawn to `least` or `most`, the outermost values measured.
    """

    stage: StageReport
    value: float
    low: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None

    @property
    def drawn(self) -> tuple[float, float] | None:
        """The interval as it is drawn; None where there is none."""
        low = self.least if self.low is None else self.low
        high = self.most if self.high is None else self.high
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over all stages that have it. `style`: its place among the colours and shapes, 0 to 2."""

    name: str
    marks: tuple[Mark, ...]
    style: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """A line at a value that must not be reached."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One field of a chart: series with a unit in common. `tell` says one of their values, `unit` stands at the axis.
    `is_bars`: a bar for each stage. `most`: the axis ends there at the latest; None: nowhere."""

    unit: str
    series: tuple[Series, ...]
    tell: Callable[[float], str]
    bounds: tuple[Bound, ...] = ()
    height: float = 190.0
    is_bars: bool = False
    most: float | None = None


@dataclass(frozen=True)
class PanelDrawing:
    """One panel at its place in the chart. `unit_above`: how far above it its unit stands, left of the axis; None: just
    above it, right of the axis."""

    axis: CallersAxis
    panel: Panel
    top: float
    unit_above: float | None = None

    def svg(self) -> str:
        return "".join([self._grid(), *map(self._drawn, self.panel.series), self._bounds(), self._names()])

    def y(self, value: float) -> float:
        return self.top + _FAILED_LANE / 2 if math.isinf(value) else self._scale(value)

    @cached_property
    def _scale(self) -> Scale:
        return Scale(self._ticks[0], self._ticks[-1], self.top + self.panel.height, self.top + self._lane)

    @cached_property
    def _lane(self) -> float:
        """The height of what lies above every number: there are the figures that fall on failed utterances."""
        values = [mark.value for series in self.panel.series for mark in series.marks]
        return _FAILED_LANE if any(map(math.isinf, values)) else 0.0

    @cached_property
    def _ticks(self) -> list[float]:
        panel = self.panel
        marks = [mark for series in panel.series for mark in series.marks]
        values = [mark.value for mark in marks if math.isfinite(mark.value)]
        # A wide interval must not press the points to the floor.
        reach = 1.6 * max(values, default=0.0)
        ends = [min(mark.drawn[1], reach) for mark in marks if mark.drawn is not None and math.isfinite(mark.drawn[1])]
        bounds = [1.08 * bound.value for bound in panel.bounds if not self._is_far_above(bound)]
        high = max([*values, *ends, *bounds], default=1.0) or 1.0
        high = high if panel.most is None else min(high, panel.most)
        return ticks(min([0.0, *values]), high, 5 if panel.height > 100 else 2)

    def _grid(self) -> str:
        axis, unit = self.axis, self.panel.unit
        if self.unit_above is None:
            written = [label(axis.left, self.top - 7, unit)]
        else:
            written = [label(axis.left - 8, self.top - self.unit_above, unit, anchor="end")]
        for value in self._ticks:
            y = self.y(value)
            written.append(line(axis.left, y, axis.right, y, "grid"))
            written.append(label(axis.left - 8, y + 4, tick_text(value), anchor="end"))
        if self._lane:
            written.append(label(axis.left - 8, self.y(math.inf) + 4, FAILED, "word fail", "end"))
        return "".join(written)

    def _drawn(self, series: Series) -> str:
        return self._bars(series) if self.panel.is_bars else self._line(series)

    def _x(self, series: Series, mark: Mark) -> float:
        """The place of a mark: series stand beside each other, so that their intervals can be told apart."""
        n = len(self.panel.series)
        step = min(_MOST_APART, self.axis.width(mark.stage.level) / (n + 1))
        return self.axis.x(mark.stage.level) + step * (series.style - (n - 1) / 2 if n > 1 else 0.0)

    def _line(self, series: Series) -> str:
        written = []
        for mark in series.marks:
            if mark.drawn is not None:
                x, (low, high) = self._x(series, mark), map(self.y, mark.drawn)
                written.append(line(x, low, x, high, f"whisker s{series.style}"))
        path = list(self._path(series))
        for first, second in pairwise(path):
            is_lost = math.inf in (first[2], second[2])
            written.append(polyline([first[:2], second[:2]], f"{'lost' if is_lost else 'series'} s{series.style}"))
        failed = [(self._x(series, mark), self.y(mark.value)) for mark in series.marks if math.isinf(mark.value)]
        written += [self._point(series, mark) for mark in series.marks if math.isfinite(mark.value)]
        written += [crosses(failed, "cross", 4.5)] if failed else []
        return "".join(written)

    def _path(self, series: Series) -> Iterator[tuple[float, float, float]]:
        """Where the line goes, and the value there: the median of the stages with so many callers."""
        ordered = sorted(series.marks, key=lambda mark: mark.stage.level)
        for _, group in groupby(ordered, key=attrgetter("stage.level")):
            marks = sorted(group, key=attrgetter("value"))
            middle = marks[(len(marks) - 1) // 2]
            yield self._x(series, middle), self.y(middle.value), middle.value

    def _point(self, series: Series, mark: Mark) -> str:
        x, y = self._x(series, mark), self.y(mark.value)
        is_doubted = mark.stage.verdict in _DOUBTED
        kind = f"hollow s{series.style}" if is_doubted else f"point f{series.style}"
        match series.style:
            case 0:
                return element("circle", cx=x, cy=y, r=4.5, kind=kind)
            case 1:
                return element("rect", x=x - 4, y=y - 4, width=8, height=8, kind=kind)
            case _:
                return element("path", d=f"M{x:.1f} {y - 5:.1f}l5 9h-10z", kind=kind)

    def _bars(self, series: Series) -> str:
        written = []
        for mark in series.marks:
            x, y = self.axis.x(mark.stage.level), self.y(mark.value)
            width = min(30.0, 0.7 * self.axis.width(mark.stage.level))
            doubted = " doubted" if mark.stage.verdict in _DOUBTED else ""
            floor = self.y(0.0)
            written.append(element("rect", x=x - width / 2, y=y, width=width, height=floor - y, kind=f"bar{doubted}"))
            if mark.value > 0 and mark.drawn is not None:
                low, high = map(self.y, mark.drawn)
                written.append(line(x, low, x, high, "error"))
                y = min(y, high)
            if mark.value > 0 and self.axis.width(mark.stage.level) > _NARROWEST_LABELLED_BAR:
                words = self.panel.tell(mark.value)
                written.append(label(x, max(y - 5, self.top + 10), words, "head over", "middle"))
        return "".join(written)

    def _bounds(self) -> str:
        axis, written = self.axis, []
        for bound in self.panel.bounds:
            if self._is_far_above(bound):
                written.append(label(axis.left + 5, self.top + 14, f"↑ {bound.name}", "bound-label over"))
                continue
            y = self.y(bound.value)
            written.append(line(axis.left, y, axis.right, y, "bound"))
            under = y - 6 if y - self.top > 16 else y + 15
            is_crowded = self._is_crowded(axis.left, under)
            x, anchor = (axis.right - 5, "end") if is_crowded else (axis.left + 5, "start")
            written.append(label(x, under, bound.name, "bound-label over", anchor))
        return "".join(written)

    def _is_far_above(self, bound: Bound) -> bool:
        """The line would press the points to the floor."""
        values = [mark.value for series in self.panel.series for mark in series.marks if math.isfinite(mark.value)]
        return bool(values) and 0 < max(values) < bound.value / _FAR_ABOVE

    def _is_crowded(self, left: float, y: float) -> bool:
        """A point lies where a line's name would begin."""
        return any(
            self._x(series, mark) < left + _BOUND_NAME_WIDTH and abs(self.y(mark.value) - (y - 4)) < LABEL_HEIGHT
            for series in self.panel.series
            for mark in series.marks
        )

    def _names(self) -> str:
        """The name of each series at its right end, one below the other where they are near."""
        if len(self.panel.series) < 2 or self.panel.is_bars:
            return ""
        ends: list[tuple[Position, Series]] = []
        for series in self.panel.series:
            path = list(self._path(series))
            if path:
                ends.append(((path[-1][0], path[-1][1]), series))
        ends.sort(key=lambda end: end[0][1])
        written, free = [], self.top
        for (_, y), series in ends:
            free = max(free, y)
            written.append(label(self.axis.right + 4, free + 4, series.name, f"head t{series.style}"))
            free += LABEL_HEIGHT
        return "".join(written)

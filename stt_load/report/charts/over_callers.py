"""Charts of figures over the number of callers: panels one below the other on one axis of callers.

A stage that fails is tinted; one that can't be believed is hatched, and its points are hollow. A percentile that falls
on failed utterances is a cross above every number, since none is as late as an answer that never came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from operator import attrgetter

import numpy as np

from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import Position, crosses, element, label, line, polyline
from stt_load.report.figure_words import FAILED
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.wording import callers, names_of

_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 44.0, 6.0, 40.0
_BETWEEN = 26.0  # two panels
_VERDICT_ROW = 16.0
_NARROWEST_SHARE = 0.055  # of an axis to scale: numbers of callers that are nearer can't be told apart
_NARROWEST_LABELLED_BAR = 24.0
_WORD_WIDTH = 44.0
_LABEL_HEIGHT = 13.0
_CHARACTER_WIDTH = 7.0
_FAILED_LANE = 22.0
_FAR_ABOVE = 5.0  # times the largest value
_NAME_WIDTH = 100.0  # of a bound

_WORST_FIRST = (Verdict.INVALID, Verdict.EMPTY, Verdict.FAIL, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Mark:
    """One figure of one stage. `value`: infinite where it falls on failed utterances. `low`, `high`: ends of its 95 %
    interval; None where there is none on that side."""

    stage: StageReport
    value: float
    low: float | None = None
    high: float | None = None


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
class Span:
    """A number of callers and the interval that it lies in, drawn along the axis of callers."""

    name: str
    low: int
    high: int


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
class OverCallers:
    """The layout of one chart of panels over callers.

    `has_verdicts`: the verdict of each stage stands above the first panel. `tell_stage`: more lines for the tip of a
    stage. `under_tick`: a word below its number of callers. `span`: drawn along the axis.
    """

    report: RunReport
    panels: Sequence[Panel]
    width: float = 420.0
    has_verdicts: bool = False
    tell_stage: Callable[[StageReport], Sequence[str]] = lambda stage: ()
    under_tick: Callable[[StageReport], str] = lambda stage: ""
    span: Span | None = None

    def chart(self, name: str, title: str, note: str = "", *, is_headline: bool = False) -> Chart:
        body = [self._bands(), self._x_axis()]
        top = self._plot_top
        for panel in self.panels:
            body.append(_PanelDrawing(self, panel, top).svg())
            top += panel.height + _BETWEEN
        body += [self._verdicts()] if self.has_verdicts else []
        body += [self._span(self.span)] if self.span else []
        tips = [Tip(self.x(users), *self._band(users), self._told(users)) for users in self.users]
        return Chart(
            name=name,
            title=title,
            description="; ".join(" ".join(tip.lines) for tip in tips),
            width=self.width,
            height=self._plot_bottom + _BOTTOM,
            body="".join(body),
            top=self._plot_top,
            bottom=self._plot_bottom,
            tips=tips,
            note=note,
            is_headline=is_headline,
        )

    # The axis of callers

    @cached_property
    def users(self) -> list[int]:
        """Each number of callers once, ascending."""
        return sorted({stage.users for stage in self.report.stages})

    def x(self, users: float) -> float:
        """The place of a number of callers; of one that was not tried, between its neighbours."""
        return self._scale(users if self._is_to_scale else float(np.interp(users, self.users, range(len(self.users)))))

    def verdict(self, users: int) -> Verdict:
        """The worst verdict of the stages with so many callers."""
        found = {stage.verdict for stage in self._stages(users)}
        return next(verdict for verdict in _WORST_FIRST if verdict in found)

    @property
    def left(self) -> float:
        return _LEFT

    @property
    def right(self) -> float:
        return self.width - _RIGHT

    @cached_property
    def _is_to_scale(self) -> bool:
        steps = [second - first for first, second in pairwise(self.users)]
        return not steps or min(steps) / (self.users[-1] - self.users[0]) >= _NARROWEST_SHARE

    @cached_property
    def _scale(self) -> Scale:
        low, high = (self.users[0], self.users[-1]) if self._is_to_scale else (0, len(self.users) - 1)
        if low == high:
            low, high = low - 1, high + 1
        edge = min(0.5 * (self.right - self.left) / len(self.users), 26.0)
        return Scale(low, high, self.left + edge, self.right - edge)

    def _band(self, users: int) -> tuple[float, float]:
        """Left edge and width of what belongs to a number of callers: half of the way to its neighbours, and as far on
        the other side of the outermost."""
        place, at = self.users.index(users), self.x(users)
        before = (self.x(self.users[place - 1]) + at) / 2 if place else self.left
        after = (self.x(self.users[place + 1]) + at) / 2 if place + 1 < len(self.users) else self.right
        return before, after - before

    def band_width(self, users: int) -> float:
        """The width within which something can be drawn around a number of callers."""
        left, width = self._band(users)
        return 2 * min(self.x(users) - left, left + width - self.x(users))

    @property
    def _plot_top(self) -> float:
        return _TOP + _LABEL_HEIGHT + (_VERDICT_ROW if self.has_verdicts else 0.0)

    @property
    def _plot_bottom(self) -> float:
        return self._plot_top + sum(panel.height for panel in self.panels) + _BETWEEN * (len(self.panels) - 1)

    def _stages(self, users: int) -> list[StageReport]:
        return [stage for stage in self.report.stages if stage.users == users]

    # What is drawn once

    def _bands(self) -> str:
        return "".join(
            element(
                "rect",
                x=self._band(users)[0],
                y=self._plot_top,
                width=self._band(users)[1],
                height=self._plot_bottom - self._plot_top,
                kind=f"band {verdict}",
            )
            for users in self.users
            if (verdict := self.verdict(users)) is not Verdict.PASS
        )

    def _x_axis(self) -> str:
        bottom, written = self._plot_bottom, []
        free_from = -math.inf
        for users in self.users:
            name = tick_text(users)
            half = _CHARACTER_WIDTH * len(name) / 2
            if self.x(users) - half >= free_from:
                written.append(label(self.x(users), bottom + 15, name, anchor="middle"))
                free_from = self.x(users) + half + 4
        under = [(self.x(users), self.under_tick(self._stages(users)[0])) for users in self.users]
        widest = max((len(words) for _, words in under), default=0) * _CHARACTER_WIDTH
        is_room = all(second - first >= widest + 6 for (first, _), (second, _) in pairwise(under))
        if widest and is_room:
            written += [label(x, bottom + 29, words, anchor="middle") for x, words in under]
        else:
            scale = "" if self._is_to_scale else " (not to scale)"
            words = f"{self.report.kind.callers}{scale}"
            written.append(label((self.left + self.right) / 2, bottom + 31, words, anchor="middle"))
        return "".join([line(self.left, bottom, self.right, bottom, "axis"), *written])

    def _verdicts(self) -> str:
        written = []
        for users in self.users:
            verdict = self.verdict(users)
            word = str(verdict) if self.band_width(users) >= _WORD_WIDTH or len(self.users) == 1 else _SIGNS[verdict]
            written.append(label(self.x(users), self._plot_top - 5, word, f"word {verdict}", "middle"))
        return "".join(written)

    def _span(self, span: Span) -> str:
        low, high = self.x(span.low), self.x(span.high)
        bottom = self._plot_bottom - 5
        middle = min(max((low + high) / 2, self.left + 60), self.right - 60)
        return line(low - 3, bottom, high + 3, bottom, "span") + label(
            middle, bottom - 8, span.name, "bound-label over", "middle"
        )

    def _told(self, users: int) -> tuple[str, ...]:
        return tuple(told for stage in self._stages(users) for told in self._told_of(stage))

    def _told_of(self, stage: StageReport) -> Iterator[str]:
        name = names_of(self.report.stages)[stage.figures.stage]
        yield f"{callers(name, self.report.kind)}: {stage.mark}"
        for panel in self.panels:
            for series in panel.series:
                for mark in series.marks:
                    if mark.stage is stage:
                        yield f"{series.name} {panel.tell(mark.value)}{_interval(panel, mark)}"
        yield from self.tell_stage(stage)


_SIGNS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INVALID: "?", Verdict.EMPTY: "–"}


def _interval(panel: Panel, mark: Mark) -> str:
    if mark.low is None or mark.high is None or math.isinf(mark.high) or math.isinf(mark.value):
        return ""
    return f" ({panel.tell(mark.low)} – {panel.tell(mark.high)})"


@dataclass(frozen=True)
class _PanelDrawing:
    """One panel at its place in the chart."""

    layout: OverCallers
    panel: Panel
    top: float

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
        ends = [min(mark.high, reach) for mark in marks if mark.high is not None and math.isfinite(mark.high)]
        bounds = [1.08 * bound.value for bound in panel.bounds if not self._is_far_above(bound)]
        high = max([*values, *ends, *bounds], default=1.0) or 1.0
        high = high if panel.most is None else min(high, panel.most)
        return ticks(min([0.0, *values]), high, 5 if panel.height > 100 else 2)

    def _grid(self) -> str:
        layout, panel = self.layout, self.panel
        written = [label(layout.left, self.top - 7, panel.unit)] if not layout.has_verdicts else []
        if layout.has_verdicts:
            written.append(label(layout.left - 8, self.top - 17, panel.unit, anchor="end"))
        for value in self._ticks:
            y = self.y(value)
            written.append(line(layout.left, y, layout.right, y, "grid"))
            written.append(label(layout.left - 8, y + 4, tick_text(value), anchor="end"))
        if self._lane:
            written.append(label(layout.left - 8, self.y(math.inf) + 4, FAILED, "word fail", "end"))
        return "".join(written)

    def _drawn(self, series: Series) -> str:
        return self._bars(series) if self.panel.is_bars else self._line(series)

    def _x(self, series: Series, mark: Mark) -> float:
        """The place of a mark: series stand beside each other, so that their intervals can be told apart."""
        n = len(self.panel.series)
        step = min(5.0, self.layout.band_width(mark.stage.users) / (n + 1))
        return self.layout.x(mark.stage.users) + step * (series.style - (n - 1) / 2 if n > 1 else 0.0)

    def _line(self, series: Series) -> str:
        written = []
        for mark in series.marks:
            if mark.low is not None and mark.high is not None:
                x = self._x(series, mark)
                written.append(line(x, self.y(mark.low), x, self.y(mark.high), f"whisker s{series.style}"))
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
        ordered = sorted(series.marks, key=lambda mark: mark.stage.users)
        for _, group in groupby(ordered, key=attrgetter("stage.users")):
            marks = sorted(group, key=attrgetter("value"))
            middle = marks[(len(marks) - 1) // 2]
            yield self._x(series, middle), self.y(middle.value), middle.value

    def _point(self, series: Series, mark: Mark) -> str:
        x, y = self._x(series, mark), self.y(mark.value)
        is_doubted = mark.stage.verdict in (Verdict.INVALID, Verdict.EMPTY)
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
            x, y = self.layout.x(mark.stage.users), self.y(mark.value)
            width = min(30.0, 0.7 * self.layout.band_width(mark.stage.users))
            doubted = " doubted" if mark.stage.verdict in (Verdict.INVALID, Verdict.EMPTY) else ""
            floor = self.y(0.0)
            written.append(element("rect", x=x - width / 2, y=y, width=width, height=floor - y, kind=f"bar{doubted}"))
            if mark.value > 0 and mark.low is not None and mark.high is not None:
                written.append(line(x, self.y(mark.low), x, self.y(mark.high), "error"))
                y = min(y, self.y(mark.high))
            if mark.value > 0 and self.layout.band_width(mark.stage.users) > _NARROWEST_LABELLED_BAR:
                words = self.panel.tell(mark.value)
                written.append(label(x, max(y - 5, self.top + 10), words, "head over", "middle"))
        return "".join(written)

    def _bounds(self) -> str:
        layout, written = self.layout, []
        for bound in self.panel.bounds:
            if self._is_far_above(bound):
                written.append(label(layout.left + 5, self.top + 14, f"↑ {bound.name}", "bound-label over"))
                continue
            y = self.y(bound.value)
            written.append(line(layout.left, y, layout.right, y, "bound"))
            under = y - 6 if y - self.top > 16 else y + 15
            is_crowded = self._is_crowded(layout.left, under)
            x, anchor = (layout.right - 5, "end") if is_crowded else (layout.left + 5, "start")
            written.append(label(x, under, bound.name, "bound-label over", anchor))
        return "".join(written)

    def _is_far_above(self, bound: Bound) -> bool:
        """The line would press the points to the floor."""
        values = [mark.value for series in self.panel.series for mark in series.marks if math.isfinite(mark.value)]
        return bool(values) and 0 < max(values) < bound.value / _FAR_ABOVE

    def _is_crowded(self, left: float, y: float) -> bool:
        """A point lies where a line's name would begin."""
        return any(
            self._x(series, mark) < left + _NAME_WIDTH and abs(self.y(mark.value) - (y - 4)) < _LABEL_HEIGHT
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
            written.append(label(self.layout.right + 4, free + 4, series.name, f"head t{series.style}"))
            free += _LABEL_HEIGHT
        return "".join(written)

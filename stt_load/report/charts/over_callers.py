"""Charts of figures over the number of callers: panels one below the other on one axis of callers.

A stage that fails is tinted; one that can't be believed is hatched, and its points are hollow. A percentile that falls
on failed utterances is a cross above every number, since none is as late as an answer that never came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from stt_load.report.charts.callers_axis import CallersAxis
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.panel import LABEL_HEIGHT, Mark, Panel, PanelDrawing
from stt_load.report.charts.scale import tick_text
from stt_load.report.charts.svg import element, label, line
from stt_load.report.model import RunReport, StageReport, Verdict
from stt_load.report.wording import callers, names_of

_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 44.0, 6.0, 40.0
_BETWEEN = 26.0  # two panels
_VERDICT_ROW = 16.0
_UNIT_ABOVE = 17.0
_WORD_WIDTH = 44.0
_CHARACTER_WIDTH = 7.0

_WORST_FIRST = (Verdict.INVALID, Verdict.EMPTY, Verdict.FAIL, Verdict.PASS)
_OPEN = "not bounded"  # an end of an interval for which n is too small
_SIGNS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INVALID: "?", Verdict.EMPTY: "–"}


@dataclass(frozen=True, slots=True)
class Span:
    """A number of callers and the interval that it lies in, drawn along the axis of callers."""

    name: str
    low: int
    high: int


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
            body.append(PanelDrawing(self.axis, panel, top, _UNIT_ABOVE if self.has_verdicts else None).svg())
            top += panel.height + _BETWEEN
        body += [self._verdicts()] if self.has_verdicts else []
        body += [self._span(self.span)] if self.span else []
        tips = [Tip(self.axis.x(users), *self.axis.band(users), self._told(users)) for users in self.axis.users]
        return Chart(
            name=name,
            title=title,
            description=f"A tip for each of {len(tips)} numbers of {self.report.kind.callers}.",
            width=self.width,
            height=self._plot_bottom + _BOTTOM,
            body="".join(body),
            top=self._plot_top,
            bottom=self._plot_bottom,
            tips=tips,
            note=note,
            is_headline=is_headline,
        )

    @cached_property
    def axis(self) -> CallersAxis:
        users = sorted({stage.level for stage in self.report.stages})
        return CallersAxis(tuple(users), _LEFT, self.width - _RIGHT)

    def verdict(self, users: float) -> Verdict:
        """The worst verdict of the stages with so many callers."""
        found = {stage.verdict for stage in self._stages(users)}
        return next(verdict for verdict in _WORST_FIRST if verdict in found)

    @property
    def _plot_top(self) -> float:
        return _TOP + LABEL_HEIGHT + (_VERDICT_ROW if self.has_verdicts else 0.0)

    @property
    def _plot_bottom(self) -> float:
        return self._plot_top + sum(panel.height for panel in self.panels) + _BETWEEN * (len(self.panels) - 1)

    def _stages(self, users: float) -> list[StageReport]:
        return [stage for stage in self.report.stages if stage.level == users]

    # What is drawn once

    def _bands(self) -> str:
        return "".join(
            element(
                "rect",
                x=self.axis.band(users)[0],
                y=self._plot_top,
                width=self.axis.band(users)[1],
                height=self._plot_bottom - self._plot_top,
                kind=f"band {verdict}",
            )
            for users in self.axis.users
            if (verdict := self.verdict(users)) is not Verdict.PASS
        )

    def _x_axis(self) -> str:
        bottom, written = self._plot_bottom, []
        free_from = -math.inf
        for users in self.axis.users:
            name = self._stages(users)[0].rate or tick_text(users)
            half = _CHARACTER_WIDTH * len(name) / 2
            if self.axis.x(users) - half >= free_from:
                written.append(label(self.axis.x(users), bottom + 15, name, anchor="middle"))
                free_from = self.axis.x(users) + half + 4
        under = [(self.axis.x(users), self.under_tick(self._stages(users)[0])) for users in self.axis.users]
        widest = max((len(words) for _, words in under), default=0) * _CHARACTER_WIDTH
        is_room = all(second - first >= widest + 6 for (first, _), (second, _) in pairwise(under))
        if widest and is_room:
            written += [label(x, bottom + 29, words, anchor="middle") for x, words in under]
        else:
            scale = "" if self.axis.is_to_scale else " (not to scale)"
            words = f"{'calls' if self.report.is_open_loop else self.report.kind.callers}{scale}"
            written.append(label((self.axis.left + self.axis.right) / 2, bottom + 31, words, anchor="middle"))
        return "".join([line(self.axis.left, bottom, self.axis.right, bottom, "axis"), *written])

    def _verdicts(self) -> str:
        written = []
        for users in self.axis.users:
            verdict = self.verdict(users)
            word = str(verdict) if self.axis.width(users) >= _WORD_WIDTH else _SIGNS[verdict]
            written.append(label(self.axis.x(users), self._plot_top - 5, word, f"word {verdict}", "middle"))
        return "".join(written)

    def _span(self, span: Span) -> str:
        low, high = self.axis.x(span.low), self.axis.x(span.high)
        bottom = self._plot_bottom - 5
        middle = min(max((low + high) / 2, self.axis.left + 60), self.axis.right - 60)
        return line(low - 3, bottom, high + 3, bottom, "span") + label(
            middle, bottom - 8, span.name, "bound-label over", "middle"
        )

    def _told(self, users: float) -> tuple[str, ...]:
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


def _interval(panel: Panel, mark: Mark) -> str:
    """The interval in words; none where nothing bounds the value."""
    if math.isinf(mark.value) or (mark.low is None and mark.high is None):
        return ""
    low, high = (_OPEN if end is None else panel.tell(end) for end in (mark.low, mark.high))
    return f" ({low} – {high})"

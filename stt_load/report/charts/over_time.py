"""A run as one chart over time: callers, what came of each utterance, how busy the server was, late frames."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from stt_load.metrics.figures import FAILED
from stt_load.metrics.validity import LATE_LIMIT
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks, time_ticks
from stt_load.report.charts.svg import Position, crosses, dots, element, label, line, polyline
from stt_load.report.model import RunReport, Verdict
from stt_load.report.run_timeline import RunTimeline, Utilisation
from stt_load.report.wording import callers

_WIDTH = 1080.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 42.0, 36.0
_BETWEEN = 22.0
_LANE = 20.0  # of failed utterances, above the others
_STRIPS = 60
_CHARACTER_WIDTH = 7.0


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the chart. `draw` gets the y scale and gives SVG; `tell` says what is there between two moments.
    `lane`: height above the scale, for utterances that failed."""

    title: str
    height: float
    y_ticks: Sequence[float]
    draw: Callable[[Scale], str]
    tell: Callable[[float, float], str]
    lane: float = 0.0


def timeline_chart(report: RunReport, headline: str, bounds: Sequence[tuple[str, float]]) -> Chart | None:
    """The chart; None where there is nothing to draw. `headline`: what the time of an utterance is called."""
    timeline = report.timeline
    if timeline is None or timeline.ended <= timeline.began or not (timeline.n_completed or timeline.n_failed):
        return None
    return _Timeline(report, timeline, headline, bounds).chart()


@dataclass(frozen=True)
class _Timeline:
    report: RunReport
    timeline: RunTimeline
    headline: str
    bounds: Sequence[tuple[str, float]]

    def chart(self) -> Chart:
        rows = [self._callers(), self._utterances(), *self._utilisations(), *self._late()]
        bottom = _TOP + sum(row.height for row in rows) + _BETWEEN * (len(rows) - 1)
        body, top = [self._holds(bottom)], _TOP
        for row in rows:
            y = Scale(row.y_ticks[0], row.y_ticks[-1], top + row.height, top + row.lane)
            body += [line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid") for value in row.y_ticks]
            body += [label(_LEFT - 8, y(value) + 4, tick_text(value), anchor="end") for value in row.y_ticks]
            body += [label(_LEFT, top - 6, row.title), row.draw(y)]
            top += row.height + _BETWEEN
        body.append(self._x_axis(bottom))
        return Chart(
            name="timeline",
            title="The run over time",
            description=f"{self._note()} Holds are shaded; what begins in them counts.",
            width=_WIDTH,
            height=bottom + _BOTTOM,
            body="".join(body),
            top=_TOP,
            bottom=bottom,
            tips=list(self._tips(rows)),
            note=f"{self._note()} Only what begins in a hold, which is shaded, counts.",
            is_wide=True,
        )

    @cached_property
    def x(self) -> Scale:
        return Scale(self.timeline.began, self.timeline.ended, _LEFT, _WIDTH - _RIGHT)

    # Rows

    def _callers(self) -> _Row:
        steps = list(self.timeline.on_line) or [(phase.began, float(phase.reached)) for phase in self.timeline.phases]
        steps.append((self.timeline.ended, steps[-1][1] if steps else 0))
        y_ticks = ticks(0, max(n for _, n in steps) or 1, 2)

        def draw(y: Scale) -> str:
            points = [(self.x(at), y(n)) for at, n in steps]
            return polyline([(points[0][0], y(0)), *points, (points[-1][0], y(0))], "area")

        def tell(began: float, ended: float) -> str:
            place = bisect_left(steps, (ended, math.inf)) - 1
            return callers(round(steps[max(place, 0)][1]), self.report.kind)

        title = f"{self.report.kind.callers}{' on the line' if self.timeline.on_line else ''}"
        return _Row(title, 54.0, y_ticks, draw, tell)

    def _utterances(self) -> _Row:
        timeline = self.timeline
        placed = [(dot.began, dot.value_s) for dot in timeline.completed if dot.value_s is not None]
        highest = max([*(value for _, value in placed), *(value for _, value in self.bounds)], default=1.0)
        y_ticks = ticks(min([0.0, *(value for _, value in placed)]), highest)

        def draw(y: Scale) -> str:
            lane = y.stop - _LANE / 2
            drawn = [dots([(self.x(at), y(value)) for at, value in placed], "dots")] if placed else []
            failed = [(self.x(dot.began), lane) for dot in timeline.failed]
            if failed:
                drawn += [crosses(failed, "cross thin", 3), label(_LEFT - 8, lane + 4, FAILED, "word fail", "end")]
            for told, value in self.bounds:
                drawn.append(line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "bound"))
                drawn.append(label(_WIDTH - _RIGHT - 4, y(value) - 5, told, "bound-label over", "end"))
            return "".join(drawn)

        def tell(began: float, ended: float) -> str:
            values = sorted(value for at, value in placed if began <= at < ended)
            outcomes = Counter(dot.outcome for dot in timeline.failed if began <= dot.began < ended)
            told = [f"{self.headline} median {values[len(values) // 2]:.3f} s"] if values else []
            told += [f"{n} {outcome}" for outcome, n in sorted(outcomes.items())]
            return ", ".join(told)

        lane = _LANE if timeline.failed else 0.0
        return _Row(f"{self.headline}, seconds", 170.0 + lane, y_ticks, draw, tell, lane)

    def _utilisations(self) -> Iterable[_Row]:
        return map(self._utilisation, self.timeline.utilisations)

    def _utilisation(self, device: Utilisation) -> _Row:
        highest = 100.0 if device.unit == "%" else max(value for _, value in device.points)

        def draw(y: Scale) -> str:
            return polyline([(self.x(at), y(value)) for at, value in device.points], "series s2")

        def tell(began: float, ended: float) -> str:
            return _mean_told(device.points, began, ended, f"{device.name} {{:.3g}} {device.unit}")

        return _Row(f"{device.name}, {device.unit}", 54.0, ticks(0, highest, 2), draw, tell)

    def _late(self) -> Iterable[_Row]:
        """The share of frames that were late, where frames were sent."""
        timeline = self.timeline
        if not timeline.late:
            return
        points = [(at, 100 * share) for at, share in timeline.late]
        width = max(self.x(timeline.began + timeline.bin_s) - self.x(timeline.began) - 0.5, 0.5)

        def draw(y: Scale) -> str:
            bars = (
                element("rect", x=self.x(at), y=y(pct), width=width, height=y(0) - y(pct), kind="late")
                for at, pct in points
                if pct > 0
            )
            return "".join([*bars, line(_LEFT, y(100 * LATE_LIMIT), _WIDTH - _RIGHT, y(100 * LATE_LIMIT), "bound")])

        y_ticks = ticks(0, max(100 * LATE_LIMIT, *(pct for _, pct in points)), 2)
        yield _Row(
            f"frames sent over 10 ms late, percent; above {100 * LATE_LIMIT:g} a stage is invalid",
            46.0,
            y_ticks,
            draw,
            lambda began, ended: _mean_told(points, began - timeline.bin_s, ended, "late frames {:.2f} %"),
        )

    # What is drawn behind and below them

    def _holds(self, bottom: float) -> str:
        verdicts = {stage.figures.stage: stage.verdict for stage in self.report.stages}
        drawn, free_from = [], -math.inf
        for phase in self.timeline.phases:
            if phase.name != "hold":
                continue
            left, right = self.x(phase.began), self.x(phase.ended)
            verdict = verdicts.get(phase.stage)
            area = {"x": left, "y": _TOP - 20, "width": max(right - left, 1.0), "height": bottom - _TOP + 20}
            drawn.append(element("rect", **area, kind="band held"))
            if verdict and verdict is not Verdict.PASS:
                drawn.append(element("rect", **area, kind=f"band {verdict}"))
            middle, half = (left + right) / 2, _CHARACTER_WIDTH * len(phase.of) / 2
            if middle - half >= free_from:
                drawn.append(label(middle, _TOP - 24, phase.of, f"word {verdict or ''}".strip(), "middle"))
                free_from = middle + half + 3
        return "".join(drawn)

    def _x_axis(self, bottom: float) -> str:
        written = [line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis")]
        for at in time_ticks(self.timeline.ended - self.timeline.began):
            x = self.x(self.timeline.began + at)
            written.append(label(x, bottom + 15, _clock(at), anchor="middle"))
        written.append(label((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 31, "time since the start", anchor="middle"))
        return "".join(written)

    def _tips(self, rows: Sequence[_Row]) -> Iterable[Tip]:
        length_s = (self.timeline.ended - self.timeline.began) / _STRIPS
        width = (_WIDTH - _RIGHT - _LEFT) / _STRIPS
        phases = sorted(((phase.began, phase) for phase in self.timeline.phases), key=itemgetter(0))
        for place in range(_STRIPS):
            began = self.timeline.began + place * length_s
            phase = phases[max(bisect_left(phases, began + length_s / 2, key=itemgetter(0)) - 1, 0)][1]
            told = [row.tell(began, began + length_s) for row in rows]
            head = f"{_clock(began - self.timeline.began)} · {phase.name} of {callers(phase.of, self.report.kind)}"
            left = _LEFT + place * width
            yield Tip(left + width / 2, left, width, (head, *filter(None, told)), is_stop=place % 10 == 5)

    def _note(self) -> str:
        timeline = self.timeline
        parts = [
            f"{len(dots):,} of {n:,} {what} utterances"
            if len(dots) < n
            else f"{n:,} {what} utterance{'' if n == 1 else 's'}"
            for what, dots, n in (
                ("completed", timeline.completed, timeline.n_completed),
                ("failed", timeline.failed, timeline.n_failed),
            )
            if n
        ]
        return f"Drawn at the moment at which they began: {' and '.join(parts)}."


def _mean_told(points: Sequence[Position], began: float, ended: float, words: str) -> str:
    values = [value for at, value in points if began <= at < ended]
    return words.format(math.fsum(values) / len(values)) if values else ""


def _clock(seconds: float) -> str:
    """Minutes and seconds, or hours and minutes from an hour on: 3:20, 1 h 05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02}" if minutes >= 60 else f"{minutes}:{rest:02}"

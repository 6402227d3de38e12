"""A spike as one chart over time: the callers, how late the last word of each utterance came, how many waited for it.

It looks like the chart of the run over time, but its clock starts as the spike has been sent, and it draws what is true
of every utterance: when its speech ended rather than when it began, and the queue behind it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from stt_load.metrics.recovery import WINDOW, Recovery
from stt_load.report.charts.chart import Chart, Tip
from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import crosses, dots, element, label, line, polyline
from stt_load.report.model import RunReport
from stt_load.report.stage_timeline import SPIKE_STAGE
from stt_load.report.wording import callers

_WIDTH = 1080.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 46.0, 36.0
_LATE, _QUEUE, _BETWEEN = 170.0, 80.0, 26.0
_STRIPE, _STRIPE_HEIGHT = _TOP - 20, 5.0  # above the words of a bound that is as high as the chart
_STRIPS = 60


def spike_chart(report: RunReport, headline: str, bounds: Sequence[tuple[str, float]]) -> Chart | None:
    """The chart; None where the run has no spike. `headline`: what the time of an utterance is called."""
    if report.recovery is None or report.timeline is None:
        return None
    return _SpikeChart(report, report.recovery, headline, bounds).chart()


@dataclass(frozen=True)
class _SpikeChart:
    report: RunReport
    recovery: Recovery
    headline: str
    bounds: Sequence[tuple[str, float]]

    def chart(self) -> Chart:
        bottom = _TOP + _LATE + _BETWEEN + _QUEUE
        body = [self._spike(bottom), self._late(), self._queue(bottom), self._marks(bottom), self._x_axis(bottom)]
        note = (
            f"Each utterance at the moment at which its speech ended. Shaded: the {self._callers} of the spike. Line "
            f"at 0: their last audio has been sent. Stripe above: green where the {WINDOW} utterances up to there "
            "meet the objectives, red where they don't."
        )
        return Chart(
            name="spike",
            title="The spike, and what came after it",
            description=note,
            width=_WIDTH,
            height=bottom + _BOTTOM,
            body="".join(body),
            top=_TOP,
            bottom=bottom,
            tips=[self._tip(place) for place in range(_STRIPS)],
            note=note,
            is_wide=True,
        )

    @cached_property
    def x(self) -> Scale:
        return Scale(self._began, self._until, _LEFT, _WIDTH - _RIGHT)

    @cached_property
    def _began(self) -> float:
        """The chart begins as long before the spike as it lasts, or with the run."""
        began, ended = self._span
        return max(self.report.timeline.began if self.report.timeline else began, began - (ended - began))

    @property
    def _until(self) -> float:
        return self.recovery.until

    @cached_property
    def _span(self) -> tuple[float, float]:
        """From the first caller of the spike to the moment at which they are told to leave."""
        phases = self.report.timeline.phases if self.report.timeline else ()
        mine = [phase for phase in phases if phase.stage == SPIKE_STAGE]
        left = self.recovery.left
        return (mine[0].began, mine[-1].ended) if mine else (left, left)

    @property
    def _callers(self) -> str:
        users = next((stage.users for stage in self.report.stages if stage.figures.stage == SPIKE_STAGE), 0)
        return callers(users, self.report.kind)

    @cached_property
    def _shown(self) -> list[tuple[float, float | None]]:
        """When speech ended, and how late its last word was; None where it failed."""
        spoken = self.recovery.spoken
        return [(at, value) for at, value in spoken if self._began <= at <= self._until]

    def _spike(self, bottom: float) -> str:
        left, right = map(self.x, self._span)
        area = {"x": left, "y": _TOP - 20, "width": max(right - left, 1.0), "height": bottom - _TOP + 20}
        return element("rect", **area, kind="band held") + label(
            (left + right) / 2, _TOP - 24, self._callers, "head", "middle"
        )

    def _late(self) -> str:
        values = [value for _, value in self._shown if value is not None]
        y_ticks = ticks(min([0.0, *values]), max([*values, *(value for _, value in self.bounds)], default=1.0))
        y = Scale(y_ticks[0], y_ticks[-1], _TOP + _LATE, _TOP)
        drawn = [*self._grid(y, y_ticks, f"{self.headline}, seconds")]
        points = [(self.x(at), y(value)) for at, value in self._shown if value is not None]
        drawn += [dots(points, "dots")] if points else []
        failed = [(self.x(at), _TOP + 6) for at, value in self._shown if value is None]
        drawn += [crosses(failed, "cross thin", 3)] if failed else []
        for told, value in self.bounds:
            drawn.append(line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "bound"))
            drawn.append(label(_WIDTH - _RIGHT - 4, y(value) - 5, told, "bound-label over", "end"))
        return "".join(drawn)

    def _queue(self, bottom: float) -> str:
        y_ticks = ticks(0, max([1, *(n for _, n in self._waiting)]), 2)
        y = Scale(y_ticks[0], y_ticks[-1], bottom, bottom - _QUEUE)
        drawn = [*self._grid(y, y_ticks, "waiting for their last word")]
        points: list[tuple[float, float]] = []
        for at, n in self._waiting:
            points += [(self.x(at), points[-1][1] if points else y(0)), (self.x(at), y(n))]
        if points:
            ends = [(points[0][0], y(0)), *points, (points[-1][0], y(0))]
            drawn.append(polyline(ends, "area"))
        return "".join(drawn)

    @cached_property
    def _waiting(self) -> list[tuple[float, int]]:
        return [(at, n) for at, n in self.recovery.queue if self._began <= at <= self._until]

    def _marks(self, bottom: float) -> str:
        recovery, zero = self.recovery, self.x(self.recovery.left)
        drawn = [line(zero, _STRIPE, zero, bottom, "cursor")]
        before = recovery.left
        for at, is_met in recovery.windows:
            place = {"x": self.x(before), "width": max(self.x(at) - self.x(before), 0.0)}
            kind = f"window {'pass' if is_met else 'fail'}"
            drawn.append(element("rect", **place, y=_STRIPE, height=_STRIPE_HEIGHT, kind=kind))
            before = at
        if recovery.recovery_s:
            again = self.x(recovery.left + recovery.recovery_s)
            drawn.append(line(again, _STRIPE, again, bottom, "bound"))
            drawn.append(
                label(again + 5, bottom - _QUEUE + 12, f"holds again: {recovery.recovery_s:.1f} s", "head over")
            )
        return "".join(drawn)

    def _grid(self, y: Scale, y_ticks: Sequence[float], title: str) -> list[str]:
        top = y(y_ticks[-1])
        return [
            label(_LEFT, top - 6, title, "over"),
            *(line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid") for value in y_ticks),
            *(label(_LEFT - 8, y(value) + 4, tick_text(value), anchor="end") for value in y_ticks),
        ]

    def _x_axis(self, bottom: float) -> str:
        left = self.recovery.left
        written = [line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis")]
        for at in ticks(self._began - left, self._until - left, 8):
            if self._began <= left + at <= self._until:
                written.append(label(self.x(left + at), bottom + 15, f"{at:g}", anchor="middle"))
        words = "seconds since the last audio of the spike"
        written.append(label((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 31, words, anchor="middle"))
        return "".join(written)

    def _tip(self, place: int) -> Tip:
        length_s, width = (self._until - self._began) / _STRIPS, (_WIDTH - _RIGHT - _LEFT) / _STRIPS
        began, left = self._began + place * length_s, _LEFT + place * width
        values = sorted(value for at, value in self._shown if value is not None and began <= at < began + length_s)
        moments = [at for at, _ in self.recovery.queue]
        waiting = self.recovery.queue[max(bisect_right(moments, began + length_s / 2) - 1, 0)][1] if moments else 0
        windows = self.recovery.windows[bisect_left(self.recovery.windows, (began,)) :][:1]
        told = [f"{self.headline} median {values[len(values) // 2]:.3f} s"] if values else []
        told += [f"{waiting} waiting for their last word"]
        told += [
            "objectives held" if is_met else "objectives missed" for at, is_met in windows if at < began + length_s
        ]
        head = f"{began - self.recovery.left:+.0f} s"
        return Tip(left + width / 2, left, width, (head, *told), is_stop=place % 10 == 5)

"""What a server gives back when callers leave: few callers before the most, and as few after them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from stt_load.metrics.figures import FIGURES_BY_NAME, NOTHING, Figure, Unit, headline_of
from stt_load.options import Course
from stt_load.report.course import course_of
from stt_load.report.device import GIVE_BACK, Device, DeviceFigures, is_covered
from stt_load.report.figure_words import figure_title, figure_value
from stt_load.report.model import RunReport, StageReport
from stt_load.report.text_table import TextTable

WORTH_GIVING_BACK = 0.05
"""The most callers have to take so much more than the few before them: the share of less would be chance."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """One figure. `name` says which, `unit` what one of it is. `before`, `after`: with the few callers; `most`: with
    the most."""

    name: str
    figure: Figure | None  # None: memory, MiB
    before: float | None
    most: float | None
    after: float | None

    @property
    def share(self) -> float | None:
        """The share of what the most callers took that is there again: 1 where all is as before, 0 where nothing has
        changed. None where they took hardly anything."""
        if self.before is None or self.most is None or self.after is None:
            return None
        least = self.before * (1 + WORTH_GIVING_BACK)
        if self.most <= least or not (math.isfinite(self.most) and math.isfinite(self.after)):
            return None
        return (self.most - self.after) / (self.most - self.before)

    @property
    def unit(self) -> Unit:
        return Unit.MIB if self.figure is None else self.figure.unit

    def told(self, value: float | None) -> str:
        if value is None:
            return NOTHING
        return f"{value:,.0f} MiB" if self.figure is None else figure_value(self.figure, value)


def stages_compared(report: RunReport) -> tuple[StageReport, StageReport, StageReport] | None:
    """The stage before, the one with the most callers, and the last one, which has as few callers as the first. None
    where there are none to compare."""
    stages = report.stages
    if course_of(report.run) not in (Course.SPIKE, Course.RAMP_DOWN) or len(stages) < 3:
        return None
    most = max(stages, key=lambda stage: stage.users)
    before = next((stage for stage in stages if stage.users == stages[-1].users), stages[-1])
    return (before, most, stages[-1]) if before.figures.stage < most.figures.stage < stages[-1].figures.stage else None


def given_back(report: RunReport) -> tuple[GivenBack, ...]:
    """The figures of these stages, latency first; empty where nothing can be compared."""
    compared = stages_compared(report)
    return () if compared is None else (*_times_and_rates(report, *compared), *_memory(*compared))


def _times_and_rates(
    report: RunReport, before: StageReport, most: StageReport, after: StageReport
) -> Iterator[GivenBack]:
    headline = headline_of(report.kind)
    shown = (
        (headline, "p50"),
        (headline, "p95"),
        (FIGURES_BY_NAME["wer"], None),
        (FIGURES_BY_NAME["error_rate"], None),
    )
    for figure, statistic in shown:
        values = [stage.value(figure, statistic) for stage in (before, most, after)]
        if any(value is not None for value in values):
            name = " ".join(filter(None, (figure_title(figure), statistic)))
            yield GivenBack(name, figure, *values)


def _memory(before: StageReport, most: StageReport, after: StageReport) -> Iterator[GivenBack]:
    """The memory of each GPU and of the server's processes: its mean in the holds of the few, its most in that of the
    many."""
    for device in (each.device for each in before.devices if each.device.kind in GIVE_BACK):
        found = [_of(device, stage) for stage in (before, most, after)]
        if all(each is not None and each.memory.n and is_covered(each.coverage) for each in found):
            low, high, again = (each.memory for each in found if each is not None)
            yield GivenBack(f"memory of {device.in_words}", None, low.mean, high.max, again.mean)


def _of(device: Device, stage: StageReport) -> DeviceFigures | None:
    return next((each for each in stage.devices if each.device == device), None)


def given_back_table(report: RunReport) -> TextTable | None:
    """A row for each figure; None where nothing can be compared."""
    figures, compared = given_back(report), stages_compared(report)
    if not figures or compared is None:
        return None
    before, most, after = (stage.users for stage in compared)
    return TextTable(
        ("", f"{before} before", str(most), f"{after} after", "given back"),
        tuple(
            (
                each.name,
                *map(each.told, (each.before, each.most, each.after)),
                NOTHING if each.share is None else f"{100 * each.share:.0f} %",
            )
            for each in figures
        ),
        (
            f"By {report.kind.callers}. Given back: how much of the rise under {most} was gone after them; "
            f"{NOTHING} where it rose by less than {100 * WORTH_GIVING_BACK:.0f} %, or nobody can say. "
            f"Memory: the mean of the hold; under {most} its peak.",
        ),
    )

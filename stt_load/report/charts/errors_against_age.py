"""How good is what is there so soon: the WER of the first text, the first final one and the last against their age.

A line for each number of callers, the stronger the more there are, from the first text to the last. Left is soon, down
is right. A good server is in the lower left corner; one that shows words early and takes them back begins high up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from stt_load.report.charts.chart import Chart
from stt_load.report.charts.plane import FLOOR, HEIGHT, TOP, WIDTH, PlaneLine, Point, draw_plane
from stt_load.report.model import RunReport, StageReport
from stt_load.report.wording import names_of

_TEXTS = (
    ("first text", "first_partial_age", "first_partial_wer"),
    ("first final", "first_final_age", "first_final_wer"),
    ("last", "eos_latency", "wer"),
)


def errors_against_age_chart(report: RunReport) -> Chart | None:
    """The chart; None where nobody knows when words were said."""
    names = names_of(report.stages)
    stages = sorted(report.stages, key=lambda stage: stage.users)
    lines = [PlaneLine(names[stage.figures.stage], points) for stage in stages if len(points := _points(stage)) > 1]
    if not lines:
        return None
    told = "; ".join(
        f"{line.name}: " + ", ".join(f"{point.word} {point.y:.1f} % after {point.x:.2f} s" for point in line.points)
        for line in lines
    )
    return Chart(
        name="errors-against-age",
        title=f"How right is what is there so soon, for each number of {report.kind.callers}",
        description=f"Word error rate and age p50, by {report.kind.callers}. {told}.",
        width=WIDTH,
        height=HEIGHT,
        body=draw_plane(_named(lines), "seconds after the last word of the text, p50", "WER, percent"),
        top=TOP,
        bottom=FLOOR,
        note="From the first text to the last. Further down: more right. Further left: sooner. The first text and the "
        "first final one are held against the words that they are of.",
    )


def _named(lines: Sequence[PlaneLine]) -> list[PlaneLine]:
    """Each line with its callers at its beginning, and the last one, of most callers, with what its points are."""
    *others, last = lines
    first, *rest = (replace(point, is_needed=True) for point in last.points)
    return [
        *(
            PlaneLine(line.name, [replace(point, word="") for point in line.points], is_named_inside=True)
            for line in others
        ),
        PlaneLine("", [replace(first, word=f"{last.name}: {first.word}"), *rest]),
    ]


def _points(stage: StageReport) -> list[Point]:
    found = []
    for word, age, wer in _TEXTS:
        age_s, rate = stage.figures.distributions[age].at(0.5), getattr(stage.figures, wer)
        if age_s is not None and rate is not None and math.isfinite(age_s):
            found.append(Point(age_s, 100 * rate, word))
    return found

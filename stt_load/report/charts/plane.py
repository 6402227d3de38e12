"""A plane: two figures of the same stages against each other, joined by lines that have names.

The later a line, the stronger it is drawn. Each point has a word above it, unless it lies on a point that has one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import Position, dots, element, label, line, number, polyline

WIDTH, HEIGHT = 420.0, 250.0
LEFT, TOP, END, FLOOR = 48.0, 40.0, 366.0, 210.0  # the edges of the field
_LEAST_APART = 13.0  # two words, in pixels


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line, and the word above it."""

    x: float
    y: float
    word: str


@dataclass(frozen=True, slots=True)
class PlaneLine:
    """A line through its points, in their order. `name`: at the right edge, beside its end; "" where it has none."""

    name: str
    points: Sequence[Point]


def draw_plane(
    lines: Sequence[PlaneLine], x_says: str, y_says: str, lines_are: str = "", most_y: float | None = None
) -> str:
    """The lines with both axes. `x_says`, `y_says`: what is along each, with its unit; `lines_are`: the heading of the
    names, where lines have some. `most_y`: where the upright axis ends; None: behind the highest point. Both begin at
    0, or below."""
    xs = [point.x for one in lines for point in one.points]
    ys = [point.y for one in lines for point in one.points]
    x_ticks, y_ticks = ticks(min(0.0, *xs), max(xs), 6), ticks(0.0, max([*ys, 1e-9]) if most_y is None else most_y)
    x, y = Scale(x_ticks[0], x_ticks[-1], LEFT, END), Scale(0.0, y_ticks[-1], FLOOR, TOP)
    written = [label(LEFT, TOP - 25, y_says), label(END + 6, TOP - 25, lines_are)]
    for value in y_ticks:
        written += [line(LEFT, y(value), END, y(value), "grid")]
        written += [label(LEFT - 8, y(value) + 4, tick_text(value), anchor="end")]
    written += [label(x(value), FLOOR + 15, tick_text(value), anchor="middle") for value in x_ticks]
    written += [line(LEFT, FLOOR, END, FLOOR, "axis")]
    written += [label((LEFT + END) / 2, FLOOR + 31, x_says, anchor="middle")]
    names: list[tuple[float, int, str]] = []
    told: list[Position] = []
    for place, one in enumerate(lines):
        at = [(x(point.x), y(point.y)) for point in one.points]
        strength = number(0.4 + 0.6 * (place + 1) / len(lines))
        written.append(element("g", polyline(at, "curve"), dots(at, "dots"), stroke_opacity=strength))
        for position, point in zip(at, one.points, strict=True):
            if point.word and all(math.dist(position, other) > _LEAST_APART for other in told):
                told.append(position)
                written.append(label(position[0], position[1] - 6, point.word, "over", "middle"))
        if one.name:
            names.append((-at[-1][1], place, one.name))
    names.sort()  # from the floor up
    for height, (_, _, name) in zip(_apart([-height for height, *_ in names]), names, strict=True):
        written.append(label(END + 8, height + 4, name, "head"))
    return "".join(written)


def _apart(heights: Sequence[float]) -> list[float]:
    """Where names stand clear of each other, none above the field: at `heights`, pixels from the floor up, or beside
    them."""
    lowest, placed = math.inf, []
    for height in heights:
        lowest = min(height, lowest - _LEAST_APART)
        placed.append(lowest)
    highest = TOP
    for place, height in reversed(list(enumerate(placed))):
        placed[place] = max(height, highest)
        highest = placed[place] + _LEAST_APART
    return placed

"""A plane: two figures of the same stages against each other, joined by lines that have names.

The later a line, the stronger it is drawn, and each has dashes of its own, for paper and for lines that lie close
together. Words stand beside their points where there is room: first those without which a line has no name, then the
others, but for points that lie on one that has a word.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stt_load.report.charts.scale import Scale, tick_text, ticks
from stt_load.report.charts.svg import Position, dots, element, label, line, number, polyline

WIDTH, HEIGHT = 420.0, 250.0
LEFT, TOP, END, FLOOR = 48.0, 40.0, 366.0, 210.0  # the edges of the field
_LEAST_APART = 13.0  # two words, in pixels
_WORD_HEIGHT, _LETTER_WIDTH = 11.0, 7.0
_DASHES = (None, "8 3", "3 3", "9 3 2 3", "14 4", "1.5 3.5")  # from the last line to the first


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line, and the word beside it; `is_needed`: that word is told though another point lies here."""

    x: float
    y: float
    word: str
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class PlaneLine:
    """A line through its points, in their order. `name`: at the right edge, beside its end, or at one of its
    points (`is_named_inside`); "" where it has none."""

    name: str
    points: Sequence[Point]
    is_named_inside: bool = False


class _Box(NamedTuple):
    """What a word covers, or a point."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, others: Iterable[_Box]) -> bool:
        return any(
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
            for other in others
        )


class _Words:
    """The words in a field, none of them on another."""

    def __init__(self, points: Iterable[Position]) -> None:
        self.written: list[str] = []
        self._points = [_Box(x - 2, y - 2, x + 2, y + 2) for x, y in points]
        self._words: list[_Box] = []

    def put(self, at: Position, word: str) -> bool:
        """Puts a word beside a point, if possible clear of the other points. False where there is no room."""
        x, y = at
        width = _LETTER_WIDTH * len(word)
        places = (
            ("middle", x, y - 6, x - width / 2),
            ("middle", x, y + 16, x - width / 2),
            ("start", x + 6, y + 4, x + 6),
            ("end", x - 6, y + 4, x - 6 - width),
        )
        boxes = [_Box(left, foot - _WORD_HEIGHT, left + width, foot + 2) for _, _, foot, left in places]
        for taken in ([*self._words, *self._points], self._words):
            for (anchor, from_x, foot, _), box in zip(places, boxes, strict=True):
                is_inside = box.left >= LEFT and box.right <= WIDTH and box.bottom <= FLOOR + 2
                if is_inside and not box.meets(taken):
                    self._words.append(box)
                    self.written.append(label(from_x, foot, word, "over", anchor))
                    return True
        return False


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
    placed = [[(x(point.x), y(point.y)) for point in one.points] for one in lines]
    for place, (one, at) in enumerate(zip(lines, placed, strict=True)):
        strength = number(0.4 + 0.6 * (place + 1) / len(lines))
        dashes = _DASHES[(len(lines) - 1 - place) % len(_DASHES)]
        written.append(
            element(
                "g",
                element("g", polyline(at, "curve"), stroke_dasharray=dashes),
                dots(at, "points"),
                stroke_opacity=strength,
            )
        )
        if one.name and not one.is_named_inside:
            names.append((-at[-1][1], place, one.name))
    written += _words_in_field(lines, placed)
    names.sort()  # from the floor up
    for height, (_, _, name) in zip(_apart([-height for height, *_ in names]), names, strict=True):
        written.append(label(END + 8, height + 4, name, "head"))
    return "".join(written)


def _words_in_field(lines: Sequence[PlaneLine], placed: Sequence[Sequence[Position]]) -> Sequence[str]:
    """The words beside the points. `placed`: where the points of each line are."""
    words = _Words(position for at in placed for position in at)
    told: list[Position] = []
    for one, at in zip(lines, placed, strict=True):
        told += [position for position, point in zip(at, one.points, strict=True) if point.is_needed]
        for position, point in zip(at, one.points, strict=True):
            if point.is_needed:
                words.put(position, point.word)
    for place, (one, at) in enumerate(zip(lines, placed, strict=True)):
        if one.is_named_inside:
            others = [position for n, other in enumerate(placed) if n != place for position in other]
            next((position for position in _most_alone(at, others) if words.put(position, one.name)), None)
    for one, at in zip(lines, placed, strict=True):
        for position, point in zip(at, one.points, strict=True):
            is_free = all(math.dist(position, other) > _LEAST_APART for other in told)
            if point.word and not point.is_needed and is_free and words.put(position, point.word):
                told.append(position)
    return words.written


def _most_alone(points: Sequence[Position], others: Sequence[Position]) -> Sequence[Position]:
    """The points of a line in the order in which its name is best read there: the first that stands clear of the other
    lines' points, then those that do so more than the rest."""

    def clearance(position: Position) -> float:
        return min((math.dist(position, other) for other in others), default=math.inf)

    return sorted(points, key=lambda position: -min(clearance(position), _LEAST_APART))


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

"""One chart of a report: an SVG in the colours of the page around it, with words for those who can't see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from stt_load.report.charts.svg import element, label, line, number

_CHARACTER_WIDTH = 6.6  # of the mean character of a tip, in pixels
_LINE_HEIGHT = 16
_TIP_MARGIN = 8

HATCH = element(
    "pattern",
    line(0, 0, 0, 7, "hatch"),
    id="hatch",
    width=7,
    height=7,
    patternUnits="userSpaceOnUse",
    patternTransform="rotate(45)",
)
"""Fills what is not to be believed. A page has it once."""


@dataclass(frozen=True, slots=True)
class Tip:
    """What is shown when a pointer is over a strip of the chart, or the keyboard's focus is on it. `at`: what it is
    about, `left`, `width`: the strip. `is_stop`: the tabulator key stops here."""

    at: float
    left: float
    width: float
    lines: tuple[str, ...]
    is_stop: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    `name`: of its file, without suffix. `description`: what it shows, for those who can't see it. `body`: SVG elements,
    `width` by `height` pixels. `tips` cover the strip from `top` to `bottom`. `note`: a line below it. `is_wide`: it
    takes the whole width of a page. `is_headline`: it stands beside the answer.
    """

    name: str
    title: str
    description: str
    width: float
    height: float
    body: str
    top: float
    bottom: float
    tips: Sequence[Tip] = ()
    note: str = ""
    is_wide: bool = False
    is_headline: bool = False

    @property
    def shape(self) -> str:
        """Its place among others on a page: `whole` takes a row, `tall` two."""
        return "whole" if self.is_wide else "tall" if self.height > self.width else ""

    @property
    def markup(self) -> Markup:
        """The chart as part of a page. No script is needed: style sheets show a tip."""
        return Markup(self.svg(self.body + "".join(map(self._tip, self.tips))))

    def svg(self, body: str) -> str:
        return element(
            "svg",
            body,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {number(self.width)} {number(self.height)}",
            role="group",
            kind="chart",
            aria_label=f"{self.title}. {self.description}",
        )

    def _tip(self, tip: Tip) -> str:
        width = _CHARACTER_WIDTH * max(map(len, tip.lines)) + 2 * _TIP_MARGIN
        height = _LINE_HEIGHT * len(tip.lines) + 2 * _TIP_MARGIN - 4
        left = tip.at + 10 if tip.at < self.width / 2 else tip.at - 10 - width
        left = min(max(left, 0.0), max(self.width - width, 0.0))
        top = min(self.top, max(self.height - height, 0.0))
        words = [
            label(left + _TIP_MARGIN, top + _TIP_MARGIN + 9 + _LINE_HEIGHT * index, told, "told" if index else "head")
            for index, told in enumerate(tip.lines)
        ]
        return element(
            "g",
            element("rect", x=tip.left, y=self.top, width=tip.width, height=self.bottom - self.top, kind="hit"),
            element(
                "g",
                line(tip.at, self.top, tip.at, self.bottom, "cursor"),
                element("rect", x=left, y=top, width=width, height=height, rx=5, kind="box"),
                *words,
                kind="tip",
            ),
            kind="at",
            role="img",
            aria_label="; ".join(tip.lines),
            tabindex=0 if tip.is_stop else -1,
        )

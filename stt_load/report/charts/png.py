"""The charts of a report as PNG files, on light paper. Needs the extra `report`."""

from __future__ import annotations

import textwrap
from importlib.resources import files
from typing import Any

from stt_load.errors import ConfigError
from stt_load.extras import install_command
from stt_load.report.charts.chart import HATCH, Chart
from stt_load.report.charts.palette import PALETTE, on_light_paper
from stt_load.report.charts.svg import element, label

_MARGIN = 12.0
_TITLE_HEIGHT = 24.0  # of one line, with what is below it
_TITLE_LINE, _LETTER_WIDTH = 16.0, 7.0
_SCALE = 2.0  # for screens with two pixels in place of one


def require_vl_convert() -> Any:
    """The library that draws. Raises ConfigError where it is missing."""
    try:
        import vl_convert
    except ImportError as error:
        raise ConfigError(f"--png needs vl-convert: {install_command('report')}") from error
    return vl_convert


def chart_png(chart: Chart) -> bytes:
    """The chart below its title, with two pixels for each of the page's. Raises ConfigError where vl-convert is missing
    or can't draw it."""
    vl_convert = require_vl_convert()
    try:
        # Its fonts come with it: a container has none.
        return bytes(vl_convert.svg_to_png(_on_paper(chart), scale=_SCALE))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # no memory, thread or descriptor is left: a panic in Rust is no Exception
        why = str(error).partition("\n")[0]
        raise ConfigError(f"--png: {chart.name}.png can't be drawn: {why}") from error


def _on_paper(chart: Chart) -> str:
    """The SVG with everything in it that a page has around it: title, style sheet, hatching and paper."""
    titles = textwrap.wrap(chart.title, int(chart.width / _LETTER_WIDTH))
    title_height = _TITLE_HEIGHT + _TITLE_LINE * (len(titles) - 1)
    width, height = chart.width + 2 * _MARGIN, chart.height + 2 * _MARGIN + title_height
    style = on_light_paper(files("stt_load.report").joinpath("templates", "charts.css").read_text(encoding="utf-8"))
    body = element("g", chart.body, transform=f"translate({_MARGIN} {_MARGIN + title_height})")
    return element(
        "svg",
        element("style", style),
        element("defs", HATCH),
        element("rect", width=width, height=height, fill=PALETTE["card"][0]),
        *(label(_MARGIN, _MARGIN + 12 + _TITLE_LINE * n, text, "head title") for n, text in enumerate(titles)),
        body,
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        kind="chart",
    )

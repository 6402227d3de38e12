"""The history as one self-contained page: trends and a table for each series. No script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from stt_load.history.reader import History
from stt_load.history.series import Series
from stt_load.history.series_table import series_columns
from stt_load.history.trend_chart import trend_charts
from stt_load.report.charts.chart import HATCH
from stt_load.report.charts.palette import palette_css
from stt_load.report.html import templates_from


def history_html(history: History, series: Sequence[Series]) -> str:
    """Writes the whole page as text."""
    templates = templates_from(
        ChoiceLoader([PackageLoader("stt_load.history", "templates"), PackageLoader("stt_load.report", "templates")])
    )
    return templates.get_template("history.html").render(
        series=[(one, series_columns(one), trend_charts(one)) for one in series],
        n_runs=len(history.runs),
        unreadable=history.unreadable,
        hatch=Markup(HATCH),
        palette=Markup(palette_css()),
    )

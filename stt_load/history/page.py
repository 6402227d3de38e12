"""The history as one self-contained page: trends and a table for each series. No script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.history.reader import History
from stt_load.history.series import Series
from stt_load.history.series_table import series_columns
from stt_load.history.trend_chart import trend_charts
from stt_load.report.page_templates import page_templates

_templates = page_templates("stt_load.history")


def history_html(history: History, series: Sequence[Series]) -> str:
    """Writes the whole page as text."""
    return _templates.get_template("history.html").render(
        series=[(one, series_columns(one), trend_charts(one)) for one in series],
        n_runs=len(history.runs),
        left_out=history.left_out,
    )

"""The server's own metrics as a table: a row for each metric, a column for each stage."""

from __future__ import annotations

from stt_load.metrics.figures import NOTHING
from stt_load.report.model import RunReport
from stt_load.report.resources import ResourceTable
from stt_load.report.wording import names_of
from stt_load.server_metrics.choice import Reading
from stt_load.server_metrics.figures import ServerFigure

SERVER_TITLE = "What the server says of itself"

_UNITS = {
    Reading.VALUE: "mean / largest over the hold",
    Reading.MAX: "mean / largest over the hold, of the largest series",
    Reading.RATE: "growth a second over the hold / largest between two looks",
    Reading.MEAN: "mean of what was observed in the hold / largest between two looks",
}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def server_table(report: RunReport) -> ResourceTable | None:
    """The table; None where nothing was read."""
    metrics = list(dict.fromkeys(figure.metric for stage in report.stages for figure in stage.server))
    if not metrics:
        return None
    names = names_of(report.stages)
    found = [{figure.metric: figure for figure in stage.server} for stage in report.stages]
    readings = dict.fromkeys(metric.reading for metric in metrics)
    return ResourceTable(
        headings=("metric", *(names[stage.figures.stage] for stage in report.stages)),
        rows=tuple((str(metric), *(_cell(figures.get(metric)) for figures in found)) for metric in metrics),
        notes=tuple(f"{_title(reading)}: {_UNITS[reading]}." for reading in readings),
    )


def _title(reading: Reading) -> str:
    return "a name alone" if reading is Reading.VALUE else f":{reading}"


def _cell(figure: ServerFigure | None) -> str:
    if figure is None or figure.mean is None:
        return NOTHING
    mean, most = _number(figure.mean), NOTHING if figure.max is None else _number(figure.max)
    return f"{mean} / {most}"


def _number(value: float) -> str:
    """Three digits, with a prefix where it is large: 1.73G."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor:
            return f"{value / factor:.3g}{prefix}"
    return f"{value:.3g}"

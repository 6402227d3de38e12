"""The server's own metrics as a table: a row for each metric, a column for each stage."""

from __future__ import annotations

from stt_load.metrics.figures import NOTHING
from stt_load.report.model import RunReport
from stt_load.report.text_table import TextTable
from stt_load.report.wording import names_of
from stt_load.server_metrics.choice import Reading
from stt_load.server_metrics.figures import ServerFigure

SERVER_TITLE = "What the server says of itself"

_MEANINGS = {
    Reading.VALUE: "a name alone: mean / largest value in the hold",
    Reading.MAX: ":max: the same, of the largest series",
    Reading.RATE: ":rate: how much it grew each second of the hold / in the second in which it grew most",
    Reading.MEAN: ":mean: the mean of what the server observed in the hold / in the second in which it was largest",
}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_PREFIXES_NOTE = "k, M, G: thousands, millions, thousand millions."


def server_table(report: RunReport) -> TextTable | None:
    """The table; None where nothing was read."""
    metrics = list(dict.fromkeys(figure.metric for stage in report.stages for figure in stage.server))
    if not metrics:
        return None
    names = names_of(report.stages)
    found = [{figure.metric: figure for figure in stage.server} for stage in report.stages]
    rows = tuple((str(metric), *(_cell(figures.get(metric)) for figures in found)) for metric in metrics)
    readings = dict.fromkeys(metric.reading for metric in metrics)
    is_prefixed = any(cell.endswith(("k", "M", "G")) for _, *cells in rows for cell in cells)
    return TextTable(
        headings=(f"metric, by {report.kind.callers}", *(names[stage.figures.stage] for stage in report.stages)),
        rows=rows,
        notes=(*(f"{_MEANINGS[reading]}." for reading in readings), *([_PREFIXES_NOTE] if is_prefixed else ())),
    )


def _cell(figure: ServerFigure | None) -> str:
    if figure is None or figure.mean is None:
        return NOTHING
    mean, most = _number(figure.mean), NOTHING if figure.max is None else _number(figure.max)
    return f"{mean} / {most}"


def _number(value: float) -> str:
    """Three digits, with a prefix where it is large: 1.73G."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= 0.9995 * factor:  # three digits would make it 1000
            return f"{value / factor:.3g}{prefix}"
    return f"{value:.3g}"

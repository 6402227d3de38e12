"""The few figures that stand beside the answer: of the most callers that hold, and of the fewest that don't."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stt_load.metrics.figures import FIGURES, NOTHING, Figure
from stt_load.report.figure_words import figure_title, figure_value, shown_percentiles
from stt_load.report.model import RunReport, StageReport
from stt_load.report.table import FEW, is_few
from stt_load.report.wording import callers, names_of, sampled

_PERCENTILES = "percentiles"
_SHOWN = (
    ("eos_latency", _PERCENTILES),
    ("voice_to_voice", _PERCENTILES),
    ("barge_in_stop", "p95"),
    ("first_audio", "p95"),
    ("after_text", "p95"),
    ("total", _PERCENTILES),
    ("rtf", "p95"),
    ("requests_per_s", None),
    ("wer", None),
    ("error_rate", None),
    ("refused", None),
    ("words_from_nothing", None),
    ("gpu_util", "mean"),
    ("server_cpu", "mean"),
)
"""Figure and statistic, or the percentiles that a page shows of it, in the order of the rows. What a run does not
measure is left out."""


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """A small table. `stages`: of each column its heading, the verdict and the verdict as tables print it. `rows`: a
    name, and a cell for each stage."""

    stages: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def has_few(self) -> bool:
        """Whether a mark says that there are too few utterances."""
        cells = [cell for _, row in self.rows for cell in row]
        return any(FEW in text for text in (*cells, *(mark for _, _, mark in self.stages)))


def key_figures(report: RunReport) -> KeyFigures | None:
    """The figures of the stages that decide the answer; None where there is none."""
    stages = [stage for stage in (report.knee.holds, report.knee.breaks) if stage is not None and stage.figures.n]
    figures = {figure.name: figure for figure in FIGURES if report.kind in figure.kinds}
    rows = []
    for name, statistic in _SHOWN:
        figure = figures.get(name)
        if figure is None:
            continue
        for one in shown_percentiles(report, figure) if statistic == _PERCENTILES else (statistic,):
            cells = tuple(_cell(stage, figure, one) for stage in stages)
            if any(cell != NOTHING for cell in cells):
                rows.append((" ".join(filter(None, (figure_title(figure), one))), cells))
    names = names_of(report.stages)  # of a search these are figures of one trial, not of all with as many callers
    headings = tuple(
        (callers(names[stage.figures.stage], report.kind), str(stage.verdict), stage.mark) for stage in stages
    )
    return KeyFigures(headings, tuple(rows)) if rows else None


def _cell(stage: StageReport, figure: Figure, statistic: str | None) -> str:
    value = stage.value(figure, statistic)
    if value is None:
        return NOTHING
    mark = FEW if math.isfinite(value) and is_few(stage, figure, statistic) else ""
    return sampled(figure_value(figure, value) + mark, stage.coverage_of(figure))

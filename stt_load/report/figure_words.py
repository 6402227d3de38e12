"""A figure in the words of a page: its title, and its values with their unit."""

from __future__ import annotations

import math

from stt_load.metrics.figures import FAILED, Figure, Unit
from stt_load.metrics.quantiles import REPORTED
from stt_load.report.model import RunReport
from stt_load.report.wording import percent, seconds

_REPORTED = tuple(f"p{100 * p:g}" for p in REPORTED)
_TITLES = {
    "eos_latency": "EOS latency",
    "total": "total time",
    "rtf": "real-time factor",
    "wer": "word error rate",
    "error_rate": "failed",
    "gpu_util": "GPU busy",
    "server_cpu": "server CPU",
    "requests_per_s": "requests",
}
"""The titles of figures whose name, with blanks, is none."""

_SUFFIX = {
    Unit.PERCENT: " %",
    Unit.MIB: " MiB",
    Unit.WATTS: " W",
    Unit.JOULES: " J",
    Unit.PER_SECOND: "/s",
}


def figure_title(figure: Figure) -> str:
    return _TITLES.get(figure.name, figure.name.replace("_", " "))


def figure_value(figure: Figure, value: float) -> str:
    """The value with its unit: `0.553 s`, `8.3 %`, `64 %`."""
    if math.isinf(value):
        return FAILED
    match figure.unit:
        case Unit.SECONDS:
            return seconds(value)
        case Unit.RATIO:
            return percent(value)
        case Unit.COUNT:
            return f"{value:.0f}"
        case Unit.CORES:
            return f"{value:.2f} cores"
        case _:
            return f"{value:.3g}{_SUFFIX.get(figure.unit, '')}"


def shown_percentiles(report: RunReport, figure: Figure) -> tuple[str, ...]:
    """The three percentiles of a figure that a page shows: p50, p95 and p99, with one that an objective is set on in
    place of p95."""
    judged = [
        result.slo.statistic
        for stage in report.stages[:1]
        for result in stage.slos
        if result.slo.figure == figure and result.slo.percentile is not None
    ]
    others = [statistic for statistic in judged if statistic and statistic not in _REPORTED]
    low, middle, high = _REPORTED
    return low, (others[0] if others else middle), high

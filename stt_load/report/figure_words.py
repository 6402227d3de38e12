"""A figure in words: its title, and its values with their unit."""

from __future__ import annotations

import math

from stt_load.metrics.figures import FAILED, Figure, Unit
from stt_load.metrics.quantiles import REPORTED
from stt_load.report.model import RunReport

_TITLES = {
    "eos_latency": "EOS latency",
    "total": "total time",
    "rtf": "real-time factor",
    "wer": "word error rate",
    "error_rate": "failed",
    "refused": "refused calls",
    "gpu_util": "GPU busy",
    "server_cpu": "server CPU",
    "requests_per_s": "requests",
}
"""The titles of figures whose name, with blanks, is none."""

_FORMATS = {  # z: no minus before nothing
    Unit.SECONDS: "{:z.3f} s",
    Unit.FACTOR: "{:z.3f}",
    Unit.PERCENT: "{:z.0f} %",
    Unit.CORES: "{:z.2f} cores",
    Unit.MIB: "{:z.0f} MiB",
    Unit.MIB_PER_MIN: "{:z.1f} MiB/min",
    Unit.WATTS: "{:z.0f} W",
    Unit.JOULES: "{:z.0f} J",
    Unit.PER_SECOND: "{:z.2f}/s",
    Unit.PER_MINUTE: "{:z.2f}/min",
    Unit.SECONDS_PER_MIN: "{:z.4f} s/min",
}
"""How a value of each unit is written, but for ratios, which are told in percent, and counts."""


def figure_title(figure: Figure) -> str:
    return _TITLES.get(figure.name, figure.name.replace("_", " "))


def figure_value(figure: Figure, value: float) -> str:
    """The value with its unit: `0.553 s`, `8.3 %`, `64 %`. A count that is the mean of several need not be whole."""
    if math.isinf(value):
        return FAILED
    match figure.unit:
        case Unit.RATIO:
            return f"{100 * value:z.1f} %"
        case Unit.COUNT:
            return f"{value:.0f}" if value == round(value) else f"{value:.1f}"
        case unit:
            return _FORMATS[unit].format(value)


def shown_percentiles(report: RunReport, figure: Figure) -> tuple[str, ...]:
    """The three percentiles of a figure that a page shows: p50, p95 and p99, with one that an objective is set on in
    place of p95."""
    judged = [
        result.slo.statistic
        for stage in report.stages[:1]
        for result in stage.slos
        if result.slo.figure == figure and result.slo.percentile is not None
    ]
    others = [statistic for statistic in judged if statistic and statistic not in REPORTED]
    low, middle, high = REPORTED
    return low, (others[0] if others else middle), high

"""Which of a server's metrics are kept, and how each is read.

NAME          a gauge: what was seen at each look, added up over its series
NAME:max      the same, of the largest of its series: a utilisation of several GPUs can't be added up
NAME:rate     a counter: how much it grew each second, over all series
NAME:mean     a histogram or summary: the mean of what was observed meanwhile, from NAME_sum and NAME_count
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")  # https://prometheus.io/docs/concepts/data_model/


class Reading(StrEnum):
    """How the samples of a metric become one number."""

    VALUE = "value"
    MAX = "max"
    RATE = "rate"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, order=True)
class ServerMetric:
    """One metric of a server by its name there, and how it is read."""

    name: str
    reading: Reading = Reading.VALUE

    def __str__(self) -> str:
        """The text that `parse_server_metric` reads."""
        return self.name if self.reading is Reading.VALUE else f"{self.name}:{self.reading}"

    @property
    def series(self) -> tuple[str, ...]:
        """The names of the samples that it is made of."""
        return (f"{self.name}_sum", f"{self.name}_count") if self.reading is Reading.MEAN else (self.name,)


def parse_server_metric(text: str) -> ServerMetric:
    """Reads `NAME` or `NAME:rate`. Names may hold colons themselves. Raises ValueError."""
    name, _, word = text.rpartition(":")
    metric = ServerMetric(name, Reading(word)) if name and word in list(Reading) else ServerMetric(text)
    if not _NAME.fullmatch(metric.name):
        readings = ", ".join(f":{reading}" for reading in Reading if reading is not Reading.VALUE)
        raise ValueError(f"{text!r} is no name of a metric: write NAME, or NAME with one of {readings}")
    return metric


def name_of(series: str) -> str:
    """The name of a series without its labels."""
    return series.partition("{")[0]
